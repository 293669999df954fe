//! Reach: the surfaces on which a token works (design 5.3).

use serde::{Deserialize, Serialize};

use crate::macros::words;
use crate::{Error, Result};

words! {
    /// A way in.
    pub enum Surface ("reach") {
        /// The native API, the console and the command line.
        Native = "native",
        /// Verify, introspection and the gate: good for the APIs behind us.
        Verify = "verify",
        /// The Wavefront dialect.
        Wavefront = "wavefront",
        /// The VMware Cloud Services dialect.
        Csp = "csp",
        /// The Splunk Observability Cloud dialect.
        Splunk = "splunk",
    }
}

/// A set of surfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach(u8);

impl Reach {
    /// Every surface.
    pub const ALL: Self = Self(0b1_1111);

    /// These surfaces.
    pub const fn of(surfaces: &[Surface]) -> Self {
        let (mut bits, mut left) = (0, surfaces);
        while let [first, rest @ ..] = left {
            bits |= 1 << *first as u8;
            left = rest;
        }
        Self(bits)
    }

    /// What a token gets when its maker names nothing: all for a native one, else the dialect and verify.
    pub fn default_of(surface: Surface) -> Self {
        match surface {
            Surface::Native => Self::ALL,
            other => Self::of(&[other, Surface::Verify]),
        }
    }

    /// Whether it holds this surface.
    pub const fn has(self, surface: Surface) -> bool {
        self.0 & (1 << surface as u8) != 0
    }

    /// Whether all of the other is in this one.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// What both hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What either holds.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is left without this surface.
    #[must_use]
    pub const fn without(self, surface: Surface) -> Self {
        Self(self.0 & !(1 << surface as u8))
    }

    /// The stored number.
    pub fn bits(self) -> i64 {
        i64::from(self.0)
    }

    /// From the stored number; unknown bits are dropped, so an older program never gives more.
    pub fn from_bits(bits: i64) -> Self {
        Self(u8::try_from(bits & i64::from(Self::ALL.0)).unwrap_or(0))
    }

    /// The surfaces in it.
    pub fn surfaces(self) -> Vec<Surface> {
        Surface::ALL.iter().copied().filter(|surface| self.has(*surface)).collect()
    }

    /// Refuses the empty set: such a token would be good for nothing.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn not_empty(self) -> Result<Self> {
        if self.0 == 0 { Err(Error::invalid("reach", "must name at least one surface")) } else { Ok(self) }
    }
}

impl Serialize for Reach {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.surfaces())
    }
}

impl<'de> Deserialize<'de> for Reach {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(&Vec::<Surface>::deserialize(deserializer)?))
    }
}
