//! Rows of searches that somebody keeps.

use tokenhouse_model::saved::{Entity, SavedSearch};
use tokenhouse_model::{Result, Uuid};

use crate::conn::{Conn, Number};
use crate::sql::{Bind as _, args, row, statements};

row!(SavedSearch: "saved_search" {
    id, org_id, account_id, entity, query, created_by, created_at, updated_by, updated_at
});

macro_rules! columns {
    () => {
        "id, org_id, account_id, entity, query, created_by, created_at, updated_by, updated_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO saved_search (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    BY_ID = concat!("SELECT ", columns!(), " FROM saved_search WHERE id = $1 AND account_id = $2");
    LIST = concat!("SELECT ", columns!(), " FROM saved_search WHERE account_id = $1 AND ($2 = '' OR entity = $2)
        ORDER BY id LIMIT $3 OFFSET $4");
    COUNT = "SELECT COUNT(*) FROM saved_search WHERE account_id = $1 AND ($2 = '' OR entity = $2)";
    UPDATE = "UPDATE saved_search SET entity = $2, query = $3, updated_by = $4, updated_at = $5 WHERE id = $1";
    DELETE = "DELETE FROM saved_search WHERE id = $1";
    DELETE_ALL = "DELETE FROM saved_search WHERE account_id = $1";
}

/// Adds a search.
///
/// # Errors
/// `unavailable`.
pub async fn insert(conn: &mut Conn<'_>, saved: &SavedSearch) -> Result<()> {
    conn.insert(&INSERT, saved).await
}

/// The account's search of this id.
///
/// # Errors
/// `unavailable`.
pub async fn by_id(conn: &mut Conn<'_>, account: Uuid, id: Uuid) -> Result<Option<SavedSearch>> {
    conn.one(&BY_ID, args![id, account]).await
}

/// The account's searches in the order of their making, of one entity or all.
///
/// # Errors
/// `unavailable`.
pub async fn list(
    conn: &mut Conn<'_>,
    account: Uuid,
    entity: Option<Entity>,
    offset: i64,
    limit: i64,
) -> Result<Vec<SavedSearch>> {
    let entity = entity.map_or("", Entity::as_str);
    conn.all(&LIST, args![account, *entity, limit, offset]).await
}

/// How many there are.
///
/// # Errors
/// `unavailable`.
pub async fn count(conn: &mut Conn<'_>, account: Uuid, entity: Option<Entity>) -> Result<i64> {
    let entity = entity.map_or("", Entity::as_str);
    Ok(conn.one::<Number>(&COUNT, args![account, *entity]).await?.map_or(0, |number| number.value))
}

/// Writes what can change of a search.
///
/// # Errors
/// `unavailable`.
pub async fn update(conn: &mut Conn<'_>, saved: &SavedSearch) -> Result<()> {
    let args = args![saved.id, saved.entity, saved.query, saved.updated_by, saved.updated_at];
    conn.run(&UPDATE, args).await.map(|_| ())
}

/// Removes a search.
///
/// # Errors
/// `unavailable`.
pub async fn delete(conn: &mut Conn<'_>, id: Uuid) -> Result<()> {
    conn.run(&DELETE, args![id]).await.map(|_| ())
}

/// Removes all searches of an account.
///
/// # Errors
/// `unavailable`.
pub async fn delete_all(conn: &mut Conn<'_>, account: Uuid) -> Result<u64> {
    conn.run(&DELETE_ALL, args![account]).await
}
