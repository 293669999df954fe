//! What is asked.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokenhouse_authority::accounts::Kind;
use tokenhouse_authority::{Caller, Ctx, accounts, tokens};
use tokenhouse_model::search::{self, AccountField, Condition, Match, On, Search, Sort, Test, TokenField};
use tokenhouse_model::{ErrorKind, Result};

use tokenhouse_bench::load::{DAY, Loaded, NOW, Places, identifier};

/// What an answer was.
#[derive(Clone, Copy, Default)]
pub struct Found {
    items: usize,
    total: i64,
    more: bool,
    /// It took longer than a search may.
    pub refused: bool,
}

impl Found {
    /// Its size in words.
    pub fn words(&self) -> (String, String) {
        (self.items.to_string(), format!("{}{}", self.total, if self.more { "+" } else { "" }))
    }

    fn of<T>(answer: Result<search::Found<T>>) -> Self {
        match answer {
            Ok(found) => Self { items: found.items.len(), total: found.total, more: found.more, refused: false },
            Err(error) if error.kind() == ErrorKind::Unprocessable => Self { refused: true, ..Self::default() },
            Err(error) => panic!("{error:?}"),
        }
    }
}

type Answer = Pin<Box<dyn Future<Output = Found> + Send>>;

/// One question, asked again and again with other values.
pub struct Case {
    pub name: String,
    pub ask: Box<dyn FnMut(usize) -> Answer>,
}

/// Makes cases of questions about tokens.
struct Cases {
    ctx: Arc<Ctx>,
    caller: Caller,
    all: Vec<Case>,
}

fn text<F>(field: F, how: Match, value: impl Into<String>) -> Condition<F> {
    Condition { on: On::Field(field), test: Test::Text { how, any_of: vec![value.into()] }, negated: false }
}

fn free<F>(value: &str) -> Condition<F> {
    let test = Test::Text { how: Match::Contains, any_of: vec![value.to_owned()] };
    Condition { on: On::Anything, test, negated: false }
}

fn between<F>(field: F, from: Option<i64>, to: Option<i64>) -> Condition<F> {
    Condition { on: On::Field(field), test: Test::Between { from, to }, negated: false }
}

fn page<F>(conditions: Vec<Condition<F>>, sort: Option<(F, bool)>) -> Search<F> {
    let sort = sort.map(|(field, ascending)| Sort { field, ascending });
    Search { conditions, sort, offset: 0, cursor: None, limit: 100 }
}

impl Cases {
    fn token(&mut self, name: &str, mut search: impl FnMut(&mut Places) -> Search<TokenField> + 'static) {
        let (ctx, caller) = (self.ctx.clone(), self.caller.clone());
        let mut places = Places(3);
        let ask = Box::new(move |_| -> Answer {
            let (ctx, caller, search) = (ctx.clone(), caller.clone(), search(&mut places));
            Box::pin(async move { Found::of(tokens::search(&ctx, &caller, search).await) })
        });
        self.all.push(Case { name: name.to_owned(), ask });
    }

    fn account(&mut self, name: &str, mut search: impl FnMut(&mut Places) -> Search<AccountField> + 'static) {
        let (ctx, caller) = (self.ctx.clone(), self.caller.clone());
        let mut places = Places(3);
        let ask = Box::new(move |_| -> Answer {
            let (ctx, caller, search) = (ctx.clone(), caller.clone(), search(&mut places));
            let kinds = [Kind::User, Kind::Service];
            Box::pin(async move { Found::of(accounts::search(&ctx, &caller, &kinds, search).await) })
        });
        self.all.push(Case { name: name.to_owned(), ask });
    }

    fn values(&mut self, name: &str, field: TokenField, conditions: Vec<Condition<TokenField>>, narrow: Option<&str>) {
        let (ctx, caller) = (self.ctx.clone(), self.caller.clone());
        let narrow = narrow.map(|text| (Match::Contains, text.to_owned()));
        let ask = Box::new(move |_| -> Answer {
            let (ctx, caller, narrow) = (ctx.clone(), caller.clone(), narrow.clone());
            let search = page(conditions.clone(), None);
            Box::pin(async move { Found::of(tokens::values(&ctx, &caller, field, search, narrow).await) })
        });
        self.all.push(Case { name: name.to_owned(), ask });
    }

    /// The page after the one before, and from the beginning again after a hundred.
    fn next(&mut self, name: &str, sort: (TokenField, bool)) {
        let (ctx, caller) = (self.ctx.clone(), self.caller.clone());
        let cursor = Arc::new(std::sync::Mutex::new(None));
        let ask = Box::new(move |round: usize| -> Answer {
            let (ctx, caller, cursor) = (ctx.clone(), caller.clone(), cursor.clone());
            Box::pin(async move {
                let mut search = page(Vec::new(), Some(sort));
                search.cursor = if round.is_multiple_of(100) { None } else { cursor.lock().expect("a lock").take() };
                let answer = tokens::search(&ctx, &caller, search).await;
                if let Ok(found) = &answer {
                    cursor.lock().expect("a lock").clone_from(&found.cursor);
                }
                Found::of(answer)
            })
        });
        self.all.push(Case { name: name.to_owned(), ask });
    }
}

/// Every case, in the order in which it is printed.
pub fn all(loaded: &Loaded) -> Vec<Case> {
    use TokenField as F;
    let mut cases = Cases { ctx: loaded.ctx.clone(), caller: loaded.caller.clone(), all: Vec::new() };
    let half = u32::try_from(loaded.tokens / 2).expect("an offset");
    for field in F::ALL {
        for (ascending, way) in [(true, "up"), (false, "down")] {
            let sort = (*field, ascending);
            cases.token(&format!("first page by {field} {way}"), move |_| page(vec![], Some(sort)));
            cases.next(&format!("next page by {field} {way}, by cursor"), sort);
            for offset in [1000, half] {
                let name = format!("page by {field} {way} at offset {offset}");
                cases.token(&name, move |_| Search { offset, ..page(vec![], Some(sort)) });
            }
        }
    }
    let orders =
        [("newest first", None), ("by name", Some((F::Name, true))), ("by use down", Some((F::LastUsedAt, false)))];
    for (order, sort) in orders {
        conditions(&mut cases, order, sort);
    }
    cases.token("id equals, none", |_| page(vec![text(F::Id, Match::Exact, uuid())], None));
    cases.token("id begins, 1 in 350", |places| {
        page(vec![text(F::Id, Match::Prefix, format!("019{:02x}", places.below(256)))], None)
    });
    cases.token("id contains 6 digits", |places| {
        page(vec![text(F::Id, Match::Contains, format!("{:06x}", places.below(1 << 24)))], None)
    });
    cases.values("values: owner", F::Owner, vec![], None);
    cases.values("values: name", F::Name, vec![], None);
    cases.values("values: owner type", F::OwnerType, vec![], None);
    cases.values("values: owner, containing sre-0", F::Owner, vec![], Some("sre-0"));
    cases.values("values: name, containing zeppelin", F::Name, vec![], Some("zeppelin"));
    let service = text(F::OwnerType, Match::Exact, "service");
    cases.values("values: owner, of active service accounts", F::Owner, vec![service], None);
    people(&mut cases);
    cases.all
}

fn uuid() -> String {
    "018f0000-0000-7000-8000-000000000000".to_owned()
}

fn conditions(cases: &mut Cases, order: &str, sort: Option<(TokenField, bool)>) {
    use TokenField as F;
    let mut case = |name: &str, condition: fn(&mut Places) -> Vec<Condition<F>>| {
        cases.token(&format!("{name}, {order}"), move |places| page(condition(places), sort));
    };
    case("name equals, 1 of all", |p| vec![text(F::Name, Match::Exact, format!("zeppelin {}", p.below(40)))]);
    case("name equals, 1 in 43", |_| vec![text(F::Name, Match::Exact, "terraform")]);
    case("name begins, 40 of all", |_| vec![text(F::Name, Match::Prefix, "zeppelin")]);
    case("name begins, 1 in 2,500", |p| vec![text(F::Name, Match::Prefix, format!("deploy-prod-{}", p.below(10)))]);
    case("name begins, 1 in 14", |_| vec![text(F::Name, Match::Prefix, "deploy")]);
    case("owner equals", |p| vec![text(F::Owner, Match::Exact, identifier(p.below(60_000)))]);
    case("owner begins, 1 in 700", |p| vec![text(F::Owner, Match::Prefix, format!("sa::sre-0{}", p.below(10)))]);
    case("owner begins, 1 in 12", |_| vec![text(F::Owner, Match::Prefix, "sa::build")]);
    case("owner type equals, half", |_| vec![text(F::OwnerType, Match::Exact, "service")]);
    case("made within a day", |p| {
        let from = NOW - (p.below(1000) as i64 + 1) * DAY;
        vec![between(F::CreatedAt, Some(from), Some(from + DAY))]
    });
    case("used in the last 7 days", |_| vec![between(F::LastUsedAt, Some(NOW - 7 * DAY), None)]);
    case("unused for 30 days or never used", |_| vec![between(F::LastUsedAt, None, Some(NOW - 30 * DAY))]);
    case("owner type and name begins, 40 of all", |_| {
        vec![text(F::OwnerType, Match::Exact, "user"), text(F::Name, Match::Prefix, "zeppelin")]
    });
    case("name contains, 40 of all", |_| vec![text(F::Name, Match::Contains, "eppeli")]);
    case("name contains, 1 in 14", |_| vec![text(F::Name, Match::Contains, "eploy")]);
    case("name contains, none", |_| vec![text(F::Name, Match::Contains, "quagga")]);
    case("name contains 2 characters, 1 in 14", |_| vec![text(F::Name, Match::Contains, "ci")]);
    case("name contains 2 characters, none", |_| vec![text(F::Name, Match::Contains, "qz")]);
    case("owner contains, 1 in 60,000 owners", |p| {
        vec![text(F::Owner, Match::Contains, format!("person{:05}", p.below(30_000) * 2 + 1))]
    });
    case("owner contains, 1 in 12 owners", |_| vec![text(F::Owner, Match::Contains, "ata.pers")]);
    case("free text, 40 of all", |_| vec![free("zeppelin")]);
    case("free text, 1 in 14", |_| vec![free("deploy")]);
    case("free text of hexadecimal digits", |p| vec![free(&format!("{:04x}", p.below(1 << 16)))]);
    case("name does not contain, 13 in 14", |_| {
        vec![Condition { negated: true, ..text(F::Name, Match::Contains, "deploy") }]
    });
}

fn people(cases: &mut Cases) {
    use AccountField as F;
    cases.account("accounts: first page, newest first", |_| page(vec![], None));
    cases.account("accounts: first page by identifier", |_| page(vec![], Some((F::Identifier, true))));
    cases.account("accounts: at offset 30000 by identifier", |_| Search {
        offset: 30_000,
        ..page(vec![], Some((F::Identifier, true)))
    });
    cases.account("accounts: by last use", |_| page(vec![], Some((F::LastUsedAt, false))));
    cases.account("accounts: by number of tokens", |_| page(vec![], Some((F::Tokens, false))));
    cases.account("accounts: identifier equals", |p| {
        page(vec![text(F::Identifier, Match::Exact, identifier(p.below(60_000)))], None)
    });
    cases.account("accounts: identifier begins, 1 in 12", |_| {
        page(vec![text(F::Identifier, Match::Prefix, "sa::build")], None)
    });
    cases.account("accounts: identifier contains, 1 of all", |p| {
        page(vec![text(F::Identifier, Match::Contains, format!("{:05}", p.below(60_000)))], None)
    });
    cases.account("accounts: free text", |_| page(vec![free("payments")], None));
    cases.account("accounts: inactive, by identifier", |_| {
        page(vec![text(F::State, Match::Exact, "inactive")], Some((F::Identifier, true)))
    });
}
