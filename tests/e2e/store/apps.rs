//! Rows of apps, of what was asked of api tokens, and of the integrations that tokens are for.

use tokenhouse_model::app::{App, AppTerms};
use tokenhouse_model::asked::{Asked, Terms};
use tokenhouse_model::integration::Integrations;
use tokenhouse_model::{Result, Uuid};
use tokenhouse_store::integrations::For;
use tokenhouse_store::{Conn, api_tokens, apps, integrations, tokens};

use super::statements::{ACCOUNT, ORG};

const NOBODY: Uuid = Uuid::from_u128(99);

/// Everything that is asked of these rows.
pub async fn kept(conn: &mut Conn<'_>, identity_id: Uuid, token_id: Uuid) -> Result<()> {
    let asked = Asked { general: vec!["openid".to_owned()], custom: vec!["ä".to_owned()], ..Asked::default() };
    let terms = Terms { token_id, asked: asked.clone(), life: 7, notice_days: 3 };
    api_tokens::insert(conn, &terms).await?;
    assert_eq!(api_tokens::of_tokens(conn, &[NOBODY, token_id]).await?, [terms]);
    tokens::renew(conn, NOBODY, 1, 2).await?;

    let mut list = integrations::of_org(conn, ORG).await?;
    assert_eq!(list, Integrations::default());
    for name in ["kubernetes", "vsphere"] {
        list.take(name).unwrap();
        integrations::set(conn, ORG, &list, 9).await?;
        assert_eq!(integrations::of_org(conn, ORG).await?, list);
    }
    integrations::insert_for(conn, token_id, "kubernetes").await?;
    let noted = For { token_id, integration: "kubernetes".to_owned() };
    assert_eq!(integrations::of_tokens(conn, &[NOBODY, token_id]).await?, [noted]);

    let display_name = "ä".to_owned();
    let terms = AppTerms {
        display_name,
        asked,
        life: 5,
        overlap: 6,
        owner_only: true,
        allowed_orgs: vec![NOBODY],
        other: serde_json::Map::new(),
    };
    let mut app = App {
        identity_id,
        org_id: ORG,
        account_id: ACCOUNT,
        token_id,
        terms,
        created_at: 21,
        created_by: Uuid::from_u128(22),
        updated_at: 23,
        updated_by: Uuid::from_u128(24),
    };
    apps::insert(conn, &app).await?;
    assert_eq!(apps::by_account(conn, ACCOUNT).await?.as_ref(), Some(&app));
    (app.terms.life, app.updated_at, app.updated_by) = (7, 25, Uuid::from_u128(26));
    apps::update(conn, identity_id, &app.terms, 25, app.updated_by).await?;
    assert_eq!(apps::by_identity(conn, identity_id).await?.as_ref(), Some(&app));
    assert_eq!(apps::of_identities(conn, &[NOBODY, identity_id]).await?, [app.clone()]);
    assert_eq!(apps::by_account(conn, ACCOUNT).await?, Some(app));
    // Its account is a person's here.
    assert_eq!(apps::of_org(conn, ORG).await?, []);
    Ok(())
}
