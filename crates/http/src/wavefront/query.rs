//! Wavefront's searches as ours: keys, matching methods, sorting (wavefront.md 5).

use serde::{Deserialize, Serialize};
use tokenhouse_model::search::{
    AccountField, Condition, Field, GroupField, Match, Nature, On, RoleField, Search, Sort, Test, TokenField,
};
use tokenhouse_model::{Error, Org, Result};

use super::read::Sent;

/// A key of a search: the word on the wire, what it is to us, and the words of its values where they differ.
#[derive(Debug)]
pub(super) struct Key<F: 'static> {
    wire: &'static str,
    field: F,
    /// On the wire, to us.
    words: &'static [(&'static str, &'static str)],
}

const fn key<F>(wire: &'static str, field: F) -> Key<F> {
    Key { wire, field, words: &[] }
}

/// Something that is searched for.
pub(super) trait Searched: Field {
    /// Its keys.
    const KEYS: &'static [Key<Self>];
}

impl Searched for TokenField {
    const KEYS: &'static [Key<Self>] = &[
        key("id", Self::Id),
        key("tokenID", Self::Id),
        key("name", Self::Name),
        key("tokenName", Self::Name),
        key("account", Self::Owner),
        Key {
            wire: "accountType",
            field: Self::OwnerType,
            words: &[
                ("INACTIVE_SERVICE_ACCOUNT", "inactive_service"),
                ("SERVICE_ACCOUNT", "service"),
                ("USER_ACCOUNT", "user"),
            ],
        },
        key("createdEpochMillis", Self::CreatedAt),
        key("dateGenerated", Self::CreatedAt),
        key("lastUsed", Self::LastUsedAt),
    ];
}

impl Searched for AccountField {
    const KEYS: &'static [Key<Self>] = &[
        key("identifier", Self::Identifier),
        key("id", Self::Identifier),
        key("emailAddress", Self::Identifier),
        key("description", Self::Description),
        Key { wire: "active", field: Self::State, words: &[("false", "inactive"), ("true", "active")] },
        key("groups", Self::Permission),
        key("unitedPermissions", Self::Held),
        key("userGroups", Self::Group),
        key("roles", Self::Role),
        key("unitedRoles", Self::HeldRole),
        key("tokens", Self::Tokens),
        key("createdEpochMillis", Self::CreatedAt),
        key("lastUsed", Self::LastUsedAt),
        key("lastSuccessfulLogin", Self::LastLoginAt),
    ];
}

impl Searched for GroupField {
    const KEYS: &'static [Key<Self>] = &[
        key("id", Self::Id),
        key("name", Self::Name),
        key("description", Self::Description),
        key("createdEpochMillis", Self::CreatedAt),
        key("users", Self::Member),
        key("userCount", Self::Members),
        key("roles", Self::Role),
        key("roleCount", Self::Roles),
    ];
}

impl Searched for RoleField {
    const KEYS: &'static [Key<Self>] = &[
        key("id", Self::Id),
        key("name", Self::Name),
        key("description", Self::Description),
        key("permissions", Self::Permission),
        key("createdEpochMillis", Self::CreatedAt),
        key("lastUpdatedMs", Self::UpdatedAt),
        key("linkedAccountsCount", Self::Accounts),
        key("linkedGroupsCount", Self::Groups),
        key("sampleLinkedAccounts", Self::Account),
        key("sampleLinkedGroups", Self::Group),
    ];
}

fn known<F: Searched>(wire: &str) -> Option<&'static Key<F>> {
    F::KEYS.iter().find(|key| key.wire.eq_ignore_ascii_case(wire))
}

fn of<F: Searched>(what: &'static str, wire: &str) -> Result<&'static Key<F>> {
    known::<F>(wire).ok_or_else(|| {
        let keys: Vec<&str> = F::KEYS.iter().map(|key| key.wire).collect();
        Error::invalid(what, format_args!("must be one of {}", keys.join(", ")))
    })
}

impl<F: Searched> Key<F> {
    /// A value as the wire has it.
    pub(super) fn told(&self, own: String) -> String {
        self.words.iter().find(|(_, word)| *word == own).map_or(own, |(wire, _)| (*wire).to_owned())
    }

    /// Our words for the texts that are looked for. Where the words differ, what matches is decided on those of the wire.
    fn words(&self, how: Match, texts: Vec<String>) -> (Match, Vec<String>) {
        if self.words.is_empty() {
            return (how, texts);
        }
        let fits = |wire: &str| texts.iter().any(|text| how.holds(&how.fold(text), &how.fold(wire)));
        let own = self.words.iter().filter(|(wire, _)| fits(wire)).map(|(_, own)| (*own).to_owned());
        (Match::Exact, own.collect())
    }
}

/// The key of a facet.
///
/// # Errors
/// `invalid_field`.
pub(super) fn facet<F: Searched>(wire: &str) -> Result<&'static Key<F>> {
    of("facet", wire)
}

impl<F: Searched> Key<F> {
    /// The field.
    pub(super) fn field(&self) -> F {
        self.field
    }
}

/// `SearchQuery`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Query {
    key: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    values: Option<Vec<String>>,
    #[serde(default)]
    matching_method: Option<String>,
    #[serde(default)]
    negated: Option<bool>,
    #[serde(default)]
    start: Option<i64>,
    #[serde(default)]
    end: Option<i64>,
}

/// `Sorting`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Sorting {
    ascending: bool,
    field: String,
    #[serde(default)]
    default: bool,
}

/// What all three requests of a search carry, and what is particular to one of them. A time range is not asked of these
/// things, and is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Request {
    query: Option<Vec<Query>>,
    limit: Option<u32>,
    offset: Option<u32>,
    cursor: Option<String>,
    sort: Option<Sorting>,
    pub(super) facets: Option<Vec<String>>,
    facet_query: Option<String>,
    facet_query_matching_method: Option<String>,
}

impl Sent for Request {}

/// A request as a search of ours.
#[derive(Debug)]
pub(super) struct Asked<F> {
    /// The search.
    pub(super) search: Search<F>,
    /// The order, as the answer tells it.
    pub(super) sort: Sorting,
    /// Whether a condition holds of nothing, so that nothing need be searched.
    pub(super) nothing: bool,
}

fn how(method: Option<&str>) -> Result<Option<Match>> {
    Ok(Some(match method.unwrap_or("CONTAINS") {
        "CONTAINS" => Match::Contains,
        "STARTSWITH" => Match::Prefix,
        "EXACT" => Match::Exact,
        // Tags and their paths are of things that are not searched here.
        "TAGPATH" => return Ok(None),
        _ => return Err(Error::invalid("matchingMethod", "must be CONTAINS, STARTSWITH, EXACT or TAGPATH")),
    }))
}

impl Request {
    /// How the values of a facet are narrowed.
    ///
    /// # Errors
    /// `invalid_field`.
    pub(super) fn narrow(&self) -> Result<Option<(Match, String)>> {
        let Some(text) = self.facet_query.clone().filter(|text| !text.is_empty()) else { return Ok(None) };
        Ok(how(self.facet_query_matching_method.as_deref())?.map(|how| (how, text)))
    }

    /// The search that is asked for, among what belongs to this org.
    ///
    /// # Errors
    /// `invalid_field`.
    pub(super) fn search<F: Searched>(self, org: &Org) -> Result<Asked<F>> {
        let mut conditions = Vec::new();
        let mut nothing = false;
        for query in self.query.unwrap_or_default() {
            match query.condition::<F>(org)? {
                Holds::Always => {}
                Holds::Never => nothing = true,
                Holds::Where(condition) => conditions.push(condition),
            }
        }
        let (sort, order) = match self.sort {
            Some(sorting) if !sorting.default && sorting.field != "default" => {
                let field = of::<F>("sort.field", &sorting.field)?.field;
                let order = Some(Sort { field, ascending: sorting.ascending });
                (Sorting { default: false, ..sorting }, order)
            }
            _ => (Sorting { ascending: false, field: "default".to_owned(), default: true }, None),
        };
        let (limit, offset) = (self.limit.unwrap_or(100), self.offset.unwrap_or(0));
        let cursor = self.cursor.filter(|cursor| !cursor.is_empty());
        Ok(Asked { search: Search { conditions, sort: order, offset, cursor, limit }, sort, nothing })
    }
}

/// Of what a condition holds.
enum Holds<F> {
    Always,
    Never,
    Where(Condition<F>),
}

impl<F> Holds<F> {
    fn fixed(holds: bool) -> Self {
        if holds { Self::Always } else { Self::Never }
    }
}

impl Query {
    fn condition<F: Searched>(self, org: &Org) -> Result<Holds<F>> {
        let negated = self.negated.unwrap_or(false);
        let texts = match (self.values, self.value) {
            (Some(values), _) if !values.is_empty() => values,
            (_, value) => value.into_iter().collect(),
        };
        if self.start.is_some() || self.end.is_some() {
            let on = On::Field(of::<F>("query.key", &self.key)?.field);
            return Ok(Holds::Where(Condition { on, test: Test::Between { from: self.start, to: self.end }, negated }));
        }
        if texts.is_empty() {
            return Err(Error::invalid("query", "must have a value, values, start or end"));
        }
        let Some(how) = how(self.matching_method.as_deref())? else { return Ok(Holds::fixed(negated)) };
        if matches!(self.key.as_str(), "tags" | "tagpath") {
            return Ok(Holds::fixed(negated));
        }
        if self.key == "freetext" {
            let test = Test::Text { how, any_of: texts };
            return Ok(Holds::Where(Condition { on: On::Anything, test, negated }));
        }
        if self.key == "customer" {
            let fits = texts.iter().any(|text| how.holds(&how.fold(text), &how.fold(&org.name)));
            return Ok(Holds::fixed(fits != negated));
        }
        let key = of::<F>("query.key", &self.key)?;
        if key.field.nature() == Nature::Number && how == Match::Exact && texts.len() == 1 {
            let number = texts.iter().find_map(|text| text.trim().parse::<i64>().ok());
            let Some(number) = number else { return Ok(Holds::fixed(negated)) };
            let test = Test::Between { from: Some(number), to: Some(number) };
            return Ok(Holds::Where(Condition { on: On::Field(key.field), test, negated }));
        }
        let (how, any_of) = key.words(how, texts);
        if any_of.is_empty() {
            return Ok(Holds::fixed(negated));
        }
        Ok(Holds::Where(Condition { on: On::Field(key.field), test: Test::Text { how, any_of }, negated }))
    }
}
