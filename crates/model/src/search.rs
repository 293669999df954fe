//! What can be searched and how it is asked: fields, conditions, order, and where a page begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cursor::LARGEST_PAGE;
use crate::macros::words;
use crate::{Error, Result, name};

words! {
    /// What of a token can be searched.
    pub enum TokenField ("field") {
        /// Its public id.
        Id = "id",
        /// Its name.
        Name = "name",
        /// Its owner's identifier.
        Owner = "owner",
        /// `user`, `service` or `inactive_service`.
        OwnerType = "owner_type",
        /// When it was made.
        CreatedAt = "created_at",
        /// When it was last used; 0 if never.
        LastUsedAt = "last_used_at",
    }
}

words! {
    /// What of an account can be searched.
    pub enum AccountField ("field") {
        /// Its row id.
        Id = "id",
        /// E-mail address or `sa::name`.
        Identifier = "identifier",
        /// Free text.
        Description = "description",
        /// What it is.
        Kind = "kind",
        /// Whether its tokens work.
        State = "state",
        /// When it was made.
        CreatedAt = "created_at",
        /// When one of its tokens was last used; 0 if never.
        LastUsedAt = "last_used_at",
        /// How many tokens it has that are not revoked.
        Tokens = "tokens",
        /// A group that it is in, by id or name.
        Group = "group",
        /// A role that it was given directly, by id or name.
        Role = "role",
        /// A permission that it was given directly.
        Permission = "permission",
        /// A permission that it holds, directly or through roles and groups.
        Held = "held",
        /// A role that it holds, directly or through groups, by id or name.
        HeldRole = "held_role",
        /// When its person last signed in; 0 if never.
        LastLoginAt = "last_login_at",
    }
}

words! {
    /// What of a group can be searched.
    pub enum GroupField ("field") {
        /// Its row id.
        Id = "id",
        /// Its name.
        Name = "name",
        /// Free text.
        Description = "description",
        /// When it was made.
        CreatedAt = "created_at",
        /// How many members it has.
        Members = "members",
        /// The identifier of a member.
        Member = "member",
        /// A role that it gives, by id or name.
        Role = "role",
        /// How many roles it gives.
        Roles = "roles",
    }
}

words! {
    /// What of a role can be searched.
    pub enum RoleField ("field") {
        /// Its row id.
        Id = "id",
        /// Its name.
        Name = "name",
        /// Free text.
        Description = "description",
        /// A permission that it gives.
        Permission = "permission",
        /// When it was made.
        CreatedAt = "created_at",
        /// When it was last changed.
        UpdatedAt = "updated_at",
        /// How many accounts were given it directly.
        Accounts = "accounts",
        /// How many groups give it.
        Groups = "groups",
        /// The identifier of an account that was given it directly.
        Account = "account",
        /// A group that gives it, by id or name.
        Group = "group",
    }
}

/// A field's nature, which decides how it can be tested and whether it orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// An id.
    Id,
    /// One text.
    Text,
    /// A number or a time.
    Number,
    /// Any number of texts: a condition holds if it holds for one of them. Nothing is ordered by it.
    Several,
}

/// A field of something that is searched.
pub trait Field: Copy + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// The field that tells when a thing was made, by which it is ordered when nothing else was asked.
    const MADE: Self;

    /// Its nature.
    fn nature(self) -> Nature;

    /// Its word.
    fn word(self) -> &'static str;

    /// Its number, by which a cursor remembers it.
    fn number(self) -> u8;
}

macro_rules! field {
    ($type:ident { $($nature:ident: $($variant:ident)|+;)+ }) => {
        impl Field for $type {
            const MADE: Self = Self::CreatedAt;

            fn nature(self) -> Nature {
                match self { $($(Self::$variant)|+ => Nature::$nature,)+ }
            }

            fn word(self) -> &'static str {
                self.as_str()
            }

            fn number(self) -> u8 {
                self as u8
            }
        }
    };
}

field!(TokenField { Id: Id; Text: Name | Owner | OwnerType; Number: CreatedAt | LastUsedAt; });
field!(AccountField {
    Id: Id;
    Text: Identifier | Description | Kind | State;
    Number: CreatedAt | LastUsedAt | LastLoginAt | Tokens;
    Several: Group | Role | Permission | Held | HeldRole;
});
field!(GroupField {
    Id: Id;
    Text: Name | Description;
    Number: CreatedAt | Members | Roles;
    Several: Member | Role;
});
field!(RoleField {
    Id: Id;
    Text: Name | Description;
    Number: CreatedAt | UpdatedAt | Accounts | Groups;
    Several: Permission | Account | Group;
});

/// A search: all conditions hold of what it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search<F> {
    /// The conditions; none finds everything.
    pub conditions: Vec<Condition<F>>,
    /// The order; newest first if there is none.
    pub sort: Option<Sort<F>>,
    /// How many items are passed over.
    pub offset: u32,
    /// Where the page begins, from an earlier answer, instead of an offset.
    pub cursor: Option<String>,
    /// At most so many items, 1 to 1,000.
    pub limit: u32,
}

/// An order. What is equal is ordered by id, in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort<F> {
    /// By this.
    pub field: F,
    /// Smallest first.
    pub ascending: bool,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition<F> {
    /// What is looked at.
    pub on: On<F>,
    /// What must be true of it.
    pub test: Test,
    /// Whether it must not be.
    pub negated: bool,
}

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum On<F> {
    /// One field.
    Field(F),
    /// Free text: name, owner and id of a token; identifier and description of an account; name and description of a
    /// group or role.
    Anything,
}

/// What must be true. Text is compared folded; a number's text is its decimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// One of these texts is there.
    Text {
        /// How.
        how: Match,
        /// The texts.
        any_of: Vec<String>,
    },
    /// A number within these bounds, both inclusive.
    Between {
        /// The least.
        from: Option<i64>,
        /// The greatest.
        to: Option<i64>,
    },
}

words! {
    /// How a text is there.
    pub enum Match ("match") {
        /// As the whole.
        Exact = "exact",
        /// At the beginning.
        Prefix = "prefix",
        /// Anywhere.
        Contains = "contains",
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The page.
    pub items: Vec<T>,
    /// Whether there are more after it.
    pub more: bool,
    /// How many there are in all, or fewer than that where counting them would take long.
    pub total: i64,
    /// Where the next page begins, if there are more.
    pub cursor: Option<String>,
}

impl<T> Found<T> {
    /// The same page with other items.
    pub fn with<U>(self, items: Vec<U>) -> Found<U> {
        Found { items, more: self.more, total: self.total, cursor: self.cursor }
    }
}

/// The most conditions of one search.
pub const MOST_CONDITIONS: usize = 20;
/// The most values of one condition.
pub const MOST_VALUES: usize = 100;
/// The longest value, in characters.
pub const LONGEST_VALUE: usize = 256;
/// An offset is below this.
pub const LARGEST_OFFSET: u32 = 1 << 31;

impl<F: Field> Search<F> {
    /// Everything, newest first, from the beginning.
    pub fn everything(limit: u32) -> Self {
        Self { conditions: Vec::new(), sort: None, offset: 0, cursor: None, limit }
    }

    /// The order that holds.
    pub fn order(&self) -> Sort<F> {
        self.sort.unwrap_or(Sort { field: F::MADE, ascending: false })
    }

    /// Checks the bounds, and that everything asked for can be asked.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn check(&self) -> Result<()> {
        if !(1..=LARGEST_PAGE).contains(&self.limit) {
            return Err(Error::invalid("limit", format_args!("must be between 1 and {LARGEST_PAGE}")));
        }
        if self.offset >= LARGEST_OFFSET {
            return Err(Error::invalid("offset", format_args!("must be below {LARGEST_OFFSET}")));
        }
        if self.offset > 0 && self.cursor.is_some() {
            return Err(Error::invalid("offset", "can't be combined with a cursor"));
        }
        if self.conditions.len() > MOST_CONDITIONS {
            return Err(Error::invalid("query", format_args!("must have at most {MOST_CONDITIONS} conditions")));
        }
        self.conditions.iter().try_for_each(Condition::check)?;
        if let Some(sort) = &self.sort
            && sort.field.nature() == Nature::Several
        {
            return Err(Error::invalid("sort", format_args!("by {} is not possible", sort.field.word())));
        }
        Ok(())
    }

    /// Where the page begins, if a cursor says so.
    ///
    /// # Errors
    /// `invalid_field` for a cursor that is not ours, or of another order.
    pub fn place(&self) -> Result<Option<Place>> {
        self.cursor.as_deref().map(|text| Place::decode(text, self.order())).transpose()
    }
}

impl<F: Field> Condition<F> {
    fn check(&self) -> Result<()> {
        match &self.test {
            Test::Text { any_of, .. } => {
                if any_of.is_empty() || any_of.len() > MOST_VALUES {
                    return Err(Error::invalid("values", format_args!("must be 1 to {MOST_VALUES}")));
                }
                if any_of.iter().any(|text| text.len() > 4 * LONGEST_VALUE || text.chars().count() > LONGEST_VALUE) {
                    return Err(Error::too_long("value", LONGEST_VALUE));
                }
                Ok(())
            }
            Test::Between { from: None, to: None } => Err(Error::invalid("range", "must have a bound")),
            Test::Between { .. } => match self.on {
                On::Field(field) if field.nature() == Nature::Number => Ok(()),
                On::Field(field) => Err(Error::invalid("range", format_args!("of {} is not possible", field.word()))),
                On::Anything => Err(Error::invalid("range", "of free text is not possible")),
            },
        }
    }
}

impl Match {
    /// A text in the form in which it is compared. Blanks at the ends are trimmed only where the whole is compared.
    pub fn fold(self, text: &str) -> String {
        match self {
            Self::Exact => name::fold(text),
            Self::Prefix | Self::Contains => name::fold_part(text),
        }
    }

    /// Whether a folded text is there in another folded text.
    pub fn holds(self, needle: &str, text: &str) -> bool {
        match self {
            Self::Exact => text == needle,
            Self::Prefix => text.starts_with(needle),
            Self::Contains => text.contains(needle),
        }
    }
}

/// The least text that is above every text with this beginning; `None` if there is none.
pub fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Steps over the surrogates, and past the last character there is.
        let mut next = (last..=char::MAX).skip(1);
        if let Some(next) = next.next() {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// The ids that begin with these hexadecimal digits, dashes aside: the least and the greatest; `None` if no id does.
pub fn ids_with_prefix(prefix: &str) -> Option<(Uuid, Uuid)> {
    let digits = hexadecimal(prefix)?;
    let number =
        |pad: char| u128::from_str_radix(&format!("{digits}{}", pad.to_string().repeat(32 - digits.len())), 16);
    Some((Uuid::from_u128(number('0').ok()?), Uuid::from_u128(number('f').ok()?)))
}

/// The hexadecimal digits of part of an id, dashes left out; `None` for what can't be part of one.
pub fn hexadecimal(part: &str) -> Option<String> {
    let digits: String = part.chars().filter(|c| *c != '-').collect();
    (digits.len() <= 32 && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))).then_some(digits)
}

/// A value by which a page was ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The id itself.
    Id,
    /// A number or a time.
    Number(i64),
    /// A folded text.
    Text(String),
}

/// The last item of a page: where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The value of the field that orders.
    pub value: Value,
    /// The item's id.
    pub id: Uuid,
    /// How many items came up to here.
    pub seen: u32,
}

/// The version of a place's form; that of lists is 1.
const VERSION: u8 = 2;
/// The longest cursor that is looked at, in bytes.
const LONGEST_CURSOR: usize = 24 * 1024;

impl Place {
    /// As text for a caller.
    pub fn encode<F: Field>(&self, order: Sort<F>) -> String {
        let mut bytes = vec![VERSION, order.field.number(), u8::from(order.ascending)];
        bytes.extend_from_slice(&self.seen.to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        match &self.value {
            Value::Id => {}
            Value::Number(number) => bytes.extend_from_slice(&number.to_be_bytes()),
            Value::Text(text) => bytes.extend_from_slice(text.as_bytes()),
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// From text that a caller sent back.
    ///
    /// # Errors
    /// `invalid_field` for anything that was not made for this order.
    pub fn decode<F: Field>(text: &str, order: Sort<F>) -> Result<Self> {
        let wrong = || Error::invalid("cursor", "must be the `cursor` of an earlier answer to the same search");
        if text.len() > LONGEST_CURSOR {
            return Err(wrong());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (head, rest) = bytes.split_first_chunk::<3>().ok_or_else(wrong)?;
        if *head != [VERSION, order.field.number(), u8::from(order.ascending)] {
            return Err(wrong());
        }
        let (seen, rest) = rest.split_first_chunk::<4>().ok_or_else(wrong)?;
        let (id, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
        let value = match order.field.nature() {
            Nature::Id if rest.is_empty() => Value::Id,
            Nature::Number => Value::Number(i64::from_be_bytes(rest.try_into().map_err(|_| wrong())?)),
            // PostgreSQL refuses a NUL in any text.
            Nature::Text if !rest.contains(&0) => {
                Value::Text(std::str::from_utf8(rest).map_err(|_| wrong())?.to_owned())
            }
            Nature::Id | Nature::Text | Nature::Several => return Err(wrong()),
        };
        Ok(Self { value, id: Uuid::from_bytes(*id), seen: u32::from_be_bytes(*seen) })
    }
}
