//! `/api/v2/search/...`: six things to search for, each with its facets (wavefront.md 5).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use tokenhouse_authority::caller::Caller;
use tokenhouse_authority::views::AccountView;
use tokenhouse_authority::{Ctx, accounts, groups, roles, tokens};
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::search::{AccountField, Found, GroupField, RoleField, Search, TokenField};
use tokenhouse_model::{Error, Result};

use super::found::{ACCOUNTS, SERVICES, USERS};
use super::people::{Account, FoundUser, RoleDto, ServiceAccount, UserGroup};
use super::query::{Asked, Key, Request, Searched, Sorting, facet};
use super::read::{Lenient, Wavefront};
use super::roles::OWN;
use super::shapes::CustomerToken;
use super::words::{Answer, Wrapped, ok};
use crate::House;
use crate::dialect::Reply;
use crate::extract::{As, Path};

/// `Paged<T>`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paged<T> {
    items: Vec<T>,
    offset: u32,
    limit: u32,
    /// Exact, or less than there are.
    total_items: i64,
    more_items: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sort: Option<Sorting>,
}

impl<T> Paged<T> {
    /// A page that was found.
    pub(super) fn new(found: Found<T>, offset: u32, limit: u32, sort: Option<Sorting>) -> Self {
        let Found { items, more, total, cursor } = found;
        Self { items, offset, limit, total_items: total, more_items: more, cursor, sort }
    }
}

/// `FacetsResponseContainer`.
#[derive(Debug, Serialize)]
pub(super) struct Facets {
    facets: BTreeMap<String, Vec<String>>,
    limit: u32,
}

type Page<T> = Answer<Wrapped<Paged<T>>>;
type Values = Answer<Wrapped<Paged<String>>>;

/// What a request asks for, beside the search itself.
struct Rest {
    offset: u32,
    limit: u32,
    sort: Sorting,
    /// Whether nothing can be found. It is searched all the same: whether the caller may is decided there.
    nothing: bool,
}

fn asked<F: Searched>(caller: &Caller, request: Request) -> Result<(Search<F>, Rest)> {
    let Asked { search, sort, nothing } = request.search::<F>(caller.org())?;
    search.check()?;
    let rest = Rest { offset: search.offset, limit: search.limit, sort, nothing };
    Ok((if nothing { Search::everything(1) } else { search }, rest))
}

impl Rest {
    fn found<T>(&self, found: Found<T>) -> Found<T> {
        if self.nothing { Found { items: Vec::new(), more: false, total: 0, cursor: None } } else { found }
    }

    fn page<T>(self, found: Found<T>) -> Page<T> {
        ok(Paged::new(self.found(found), self.offset, self.limit, Some(self.sort)))
    }

    fn values<F: Searched>(self, key: &Key<F>, found: Found<String>) -> Values {
        let mut found = self.found(found);
        found.items = found.items.into_iter().map(|value| key.told(value)).collect();
        ok(Paged::new(found, self.offset, self.limit, None))
    }
}

/// The most facets of one request.
const MOST_FACETS: usize = 20;

/// The fields whose values are asked for, under the names by which they are.
fn several<F: Searched>(request: &mut Request) -> Result<Vec<(String, &'static Key<F>)>> {
    let names = request.facets.take().unwrap_or_default();
    if names.is_empty() || names.len() > MOST_FACETS {
        return Err(Error::invalid("facets", format_args!("must be 1 to {MOST_FACETS}")));
    }
    names.into_iter().map(|name| facet::<F>(&name).map(|key| (name, key))).collect()
}

/// The three endpoints of what is searched for: the search, several facets, one facet.
macro_rules! searched {
    ($what:literal, $search:ident, $facets:ident, $facet:ident: $field:ty => $item:ty,
     |$ctx:ident, $caller:ident, $wanted:ident| $find:expr, |$of:ident, $narrow:ident| $values:expr) => {
        #[doc = concat!("Searches for ", $what, ".")]
        pub(super) async fn $search(
            State($ctx): House,
            As($caller, _): Wavefront,
            Lenient(request): Lenient<Request>,
        ) -> Reply<Page<$item>> {
            let ($wanted, rest) = asked::<$field>(&$caller, request)?;
            Ok(rest.page($find))
        }

        #[doc = concat!("The values of several fields of ", $what, ".")]
        pub(super) async fn $facets(
            State($ctx): House,
            As($caller, _): Wavefront,
            Lenient(mut request): Lenient<Request>,
        ) -> Reply<Answer<Wrapped<Facets>>> {
            let (keys, narrow) = (several::<$field>(&mut request)?, request.narrow()?);
            let (search, rest) = asked::<$field>(&$caller, request)?;
            let mut facets = BTreeMap::new();
            for (name, key) in keys {
                let ($of, $wanted, $narrow) = (key.field(), search.clone(), narrow.clone());
                let values = rest.found($values).items;
                facets.insert(name, values.into_iter().map(|value| key.told(value)).collect());
            }
            Ok(ok(Facets { facets, limit: rest.limit }))
        }

        #[doc = concat!("The values of one field of ", $what, ".")]
        pub(super) async fn $facet(
            State($ctx): House,
            As($caller, _): Wavefront,
            Path(name): Path<String>,
            Lenient(request): Lenient<Request>,
        ) -> Reply<Values> {
            let (key, $narrow) = (facet::<$field>(&name)?, request.narrow()?);
            let ($wanted, rest) = asked::<$field>(&$caller, request)?;
            let $of = key.field();
            Ok(rest.values(key, $values))
        }
    };
}

searched!("tokens", tokens, token_facets, token_facet: TokenField => CustomerToken,
    |ctx, caller, wanted| {
        let mut found = tokens::search(&ctx, &caller, wanted).await?;
        let items = std::mem::take(&mut found.items);
        found.with(items.into_iter().map(|view| CustomerToken::new(view, caller.org())).collect())
    },
    |field, narrow| tokens::values(&ctx, &caller, field, wanted, narrow).await?);

searched!("accounts", accounts, account_facets, account_facet: AccountField => Account,
    |ctx, caller, wanted| {
        let (found, views) = people(&ctx, &caller, ACCOUNTS, wanted).await?;
        found.with(views.iter().map(Account::new).collect())
    },
    |field, narrow| accounts::values(&ctx, &caller, ACCOUNTS, field, wanted, narrow).await?);

searched!("service accounts", services, service_facets, service_facet: AccountField => ServiceAccount,
    |ctx, caller, wanted| {
        let (found, views) = people(&ctx, &caller, SERVICES, wanted).await?;
        found.with(services_of(&ctx, &caller, &views).await?)
    },
    |field, narrow| accounts::values(&ctx, &caller, SERVICES, field, wanted, narrow).await?);

searched!("users", users, user_facets, user_facet: AccountField => FoundUser,
    |ctx, caller, wanted| {
        let (found, views) = people(&ctx, &caller, USERS, wanted).await?;
        let user = |view| FoundUser::new(view, caller.org(), caller.account_id());
        found.with(views.iter().map(user).collect())
    },
    |field, narrow| accounts::values(&ctx, &caller, USERS, field, wanted, narrow).await?);

searched!("groups", groups, group_facets, group_facet: GroupField => UserGroup,
    |ctx, caller, wanted| {
        let mut found = groups::search(&ctx, &caller, wanted).await?;
        let items = std::mem::take(&mut found.items);
        found.with(items.iter().map(|view| UserGroup::new(view, caller.org())).collect())
    },
    |field, narrow| groups::values(&ctx, &caller, field, wanted, narrow).await?);

searched!("roles", roles, role_facets, role_facet: RoleField => RoleDto,
    |ctx, caller, wanted| {
        let mut found = roles::search(&ctx, &caller, OWN, wanted).await?;
        let items = std::mem::take(&mut found.items);
        found.with(items.iter().map(|view| RoleDto::new(view, caller.org())).collect())
    },
    |field, narrow| roles::values(&ctx, &caller, OWN, field, wanted, narrow).await?);

async fn people(
    ctx: &Arc<Ctx>,
    caller: &Caller,
    kinds: &[AccountKind],
    wanted: Search<AccountField>,
) -> Result<(Found<()>, Vec<AccountView>)> {
    let mut found = accounts::search(ctx, caller, kinds, wanted).await?;
    let views = std::mem::take(&mut found.items);
    Ok((found.with(Vec::new()), views))
}

/// Service accounts with their tokens.
pub(super) async fn services_of(ctx: &Ctx, caller: &Caller, views: &[AccountView]) -> Result<Vec<ServiceAccount>> {
    let ids: Vec<_> = views.iter().map(|view| view.account.id).collect();
    let mut tokens = tokens::of_accounts(ctx, caller, &ids).await?;
    let mut one = |view: &AccountView| {
        let held = tokens.remove(&view.account.id).unwrap_or_default();
        ServiceAccount::new(view, held, caller.org())
    };
    Ok(views.iter().map(&mut one).collect())
}

/// A page of all accounts, in the order of their making.
pub(super) async fn all_accounts(
    State(ctx): House,
    As(caller, _): Wavefront,
    asked: super::read::Asked,
) -> Reply<Page<Account>> {
    let wanted = all::<AccountField>(&asked)?;
    let (offset, limit) = (wanted.offset, wanted.limit);
    let (found, views) = people(&ctx, &caller, ACCOUNTS, wanted).await?;
    Ok(ok(Paged::new(found.with(views.iter().map(Account::new).collect()), offset, limit, None)))
}

/// A page of all groups.
pub(super) async fn all_groups(
    State(ctx): House,
    As(caller, _): Wavefront,
    asked: super::read::Asked,
) -> Reply<Page<UserGroup>> {
    let wanted = all::<GroupField>(&asked)?;
    let (offset, limit) = (wanted.offset, wanted.limit);
    let mut found = groups::search(&ctx, &caller, wanted).await?;
    let items = std::mem::take(&mut found.items);
    let items = items.iter().map(|view| UserGroup::new(view, caller.org())).collect();
    Ok(ok(Paged::new(found.with(items), offset, limit, None)))
}

/// A page of all roles.
pub(super) async fn all_roles(
    State(ctx): House,
    As(caller, _): Wavefront,
    asked: super::read::Asked,
) -> Reply<Page<RoleDto>> {
    let wanted = all::<RoleField>(&asked)?;
    let (offset, limit) = (wanted.offset, wanted.limit);
    let mut found = roles::search(&ctx, &caller, OWN, wanted).await?;
    let items = std::mem::take(&mut found.items);
    let items = items.iter().map(|view| RoleDto::new(view, caller.org())).collect();
    Ok(ok(Paged::new(found.with(items), offset, limit, None)))
}

/// Everything, oldest first, from an offset or a cursor on.
fn all<F: Searched>(asked: &super::read::Asked) -> Result<Search<F>> {
    let sort = Some(tokenhouse_model::search::Sort { field: F::MADE, ascending: true });
    let cursor = asked.text("cursor").filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(Search { offset: asked.number("offset", 0)?, cursor, sort, ..Search::everything(asked.number("limit", 100)?) })
}
