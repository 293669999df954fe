//! Random searches, the same in every run.

use tokenhouse_model::env::Random;
use tokenhouse_model::search::{
    AccountField, Condition, Field, GroupField, Match, Nature, On, RoleField, Search, Sort, Test, TokenField,
};

/// A repeatable sequence.
pub struct Dice(Random);

/// A field by which random searches are made.
pub trait Every: Field {
    const EVERY: &'static [Self];
}

macro_rules! every {
    ($($type:ty),+) => {$(
        impl Every for $type {
            const EVERY: &'static [Self] = Self::ALL;
        }
    )+};
}

every!(TokenField, AccountField, GroupField, RoleField);

impl Dice {
    pub fn new(seed: i64) -> Self {
        Self(Random::fixed(seed))
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(u64::from_le_bytes(self.0.bytes()) >> 8).unwrap() % bound
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Part of a text that is there, in upper or lower case, the whole of it, or something else.
    pub fn needle(&mut self, texts: &[String]) -> String {
        let text = self.of(texts);
        let characters: Vec<char> = text.chars().collect();
        let part = match self.below(8) {
            0 => {
                return (*self.of(&["", " ", "%", "_", "\\", "'", "\"", "a\0b", "no such thing", "e", "0"])).to_owned();
            }
            1..=3 => text.clone(),
            4 => characters.iter().take(self.below(characters.len() + 1)).collect(),
            _ => {
                let from = self.below(characters.len() + 1);
                let length = self.below(7);
                characters.iter().skip(from).take(length).collect::<String>()
            }
        };
        if self.one_in(3) { part.to_uppercase() } else { part }
    }

    fn condition<F: Every>(&mut self, needles: &[String]) -> Condition<F> {
        let on = if self.one_in(6) { On::Anything } else { On::Field(*self.of(F::EVERY)) };
        let number = matches!(on, On::Field(field) if field.nature() == Nature::Number);
        let test = if number && !self.one_in(4) {
            let mut bound = || needles[self.below(needles.len())].parse::<i64>().ok();
            match (bound(), bound()) {
                (None, None) => Test::Between { from: Some(1), to: None },
                (from, to) => Test::Between { from, to },
            }
        } else {
            let count = if self.one_in(3) { 1 + self.below(3) } else { 1 };
            let any_of = (0..count).map(|_| self.needle(needles)).collect();
            Test::Text { how: *self.of(Match::ALL), any_of }
        };
        Condition { on, test, negated: self.one_in(4) }
    }

    /// A search that can be asked.
    pub fn search<F: Every>(&mut self, needles: &[String]) -> Search<F> {
        let count = *self.of(&[0, 1, 1, 1, 2, 2, 3]);
        let conditions = (0..count).map(|_| self.condition(needles)).collect();
        let field = *self.of(F::EVERY);
        let sort =
            (field.nature() != Nature::Several && !self.one_in(8)).then(|| Sort { field, ascending: self.one_in(2) });
        let offset = u32::try_from(*self.of(&[0, 0, 0, 1, 3, 10, 100])).unwrap();
        Search { conditions, sort, offset, cursor: None, limit: *self.of(&[1, 2, 5, 20, 1000]) }
    }
}
