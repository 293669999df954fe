//! Statements that are put together: constant fragments and numbered parameters, nothing else.

use tokenhouse_model::Uuid;

use crate::sql::Arg;

/// A statement that is put together. What a caller sent goes in as a parameter only: [`Composed::say`] takes nothing but
/// text of this program.
#[derive(Clone, Debug)]
pub struct Composed {
    text: String,
    args: Vec<Arg<'static>>,
}

impl Composed {
    /// An empty statement with its first parameters: `$1` is the org, `$2` the time, `$3` the nil id.
    pub(crate) fn new(org: Uuid, now: i64) -> Self {
        Self { text: String::new(), args: vec![Arg::Uuid(org), Arg::Int(now), Arg::Uuid(Uuid::nil())] }
    }

    /// Goes on with this.
    pub(crate) fn say(&mut self, fragment: &'static str) -> &mut Self {
        self.text.push_str(fragment);
        self
    }

    /// Goes on with a parameter.
    pub(crate) fn bind(&mut self, value: Arg<'static>) -> &mut Self {
        self.args.push(value);
        self.text.push('$');
        self.text.push_str(&self.args.len().to_string());
        self
    }

    /// Goes on with a text as a parameter.
    pub(crate) fn text_of(&mut self, value: &str) -> &mut Self {
        self.bind(Arg::Made(value.to_owned()))
    }

    /// Goes on with a list of what `each` writes, between `open` and `close`; with `empty` where there is nothing.
    pub(crate) fn list<T>(
        &mut self,
        items: &[T],
        [open, between, close, empty]: [&'static str; 4],
        mut each: impl FnMut(&mut Self, &T),
    ) -> &mut Self {
        if items.is_empty() {
            return self.say(empty);
        }
        self.say(open);
        for (number, item) in items.iter().enumerate() {
            if number > 0 {
                self.say(between);
            }
            each(self, item);
        }
        self.say(close)
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The parameters.
    pub(crate) fn args(&self) -> &[Arg<'static>] {
        &self.args
    }
}
