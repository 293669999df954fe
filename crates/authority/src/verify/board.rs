//! What every request looks at without a lock: until when this node is fresh, how far it has applied the ledger, and
//! which of the things that it remembers were touched since.
//!
//! The rule that makes it safe: what an event touches is marked before the event counts as applied. A thing that was
//! read as of revision f is good while its mark is at most f, so one that was read too early is never good, however
//! late it is put into memory.

use tokenhouse_model::Uuid;
use tokenhouse_model::follow::{Boot, Tag};

use super::sync::{AtomicI64, AtomicU64, Ordering};

/// What an event touches, and what remembered things depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A token and its secrets.
    Token(Uuid),
    /// An account and what it holds; or an org token and what it holds.
    Holder(Uuid),
    /// An org, its policy, and what its roles and groups give to any of its holders.
    Org(Uuid),
    /// The keys that access tokens are signed with.
    Signing,
    /// That there is no secret of this digest.
    Digest([u8; 32]),
}

impl Key {
    /// A number that spreads well. Ids are UUIDv7, whose last eight bytes are random; digests are random all over.
    fn number(self) -> u64 {
        let (kind, bytes) = match &self {
            Self::Token(id) => (1, id.as_bytes().last_chunk()),
            Self::Holder(id) => (2, id.as_bytes().last_chunk()),
            Self::Org(id) => (3, id.as_bytes().last_chunk()),
            Self::Digest(digest) => (4, digest.last_chunk()),
            Self::Signing => (5, None),
        };
        let number = bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes));
        (number ^ kind).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// Bits of a mark that hold the revision; those above hold the era.
const REVISION_BITS: u32 = 44;

/// The board of one node.
#[derive(Debug)]
pub(crate) struct Board {
    /// The life of the memory; what was read in another is not good.
    era: AtomicU64,
    /// The revision at which this life began: nothing that was read as of an earlier one is good in it, since events
    /// up to there left no mark.
    begun: AtomicI64,
    applied: AtomicI64,
    fresh_until: AtomicI64,
    /// For each place the era and revision of the last event that touched a key there. Keys share places, so a thing
    /// may be read again without need; it is never good without right. It has no end at which it forgets, as a list of
    /// the last events would.
    marks: Box<[AtomicU64]>,
    shift: u32,
}

impl Board {
    /// A board with two to the power of `bits` places of eight bytes.
    pub(crate) fn new(bits: u32) -> Self {
        Self {
            era: AtomicU64::new(1),
            begun: AtomicI64::new(i64::MAX),
            applied: AtomicI64::new(0),
            fresh_until: AtomicI64::new(Boot::MIN),
            marks: (0..1_u64 << bits).map(|_| AtomicU64::new(0)).collect(),
            shift: 64 - bits,
        }
    }

    fn place(&self, key: Key) -> Option<&AtomicU64> {
        self.marks.get(usize::try_from(key.number() >> self.shift).unwrap_or(0))
    }

    /// The present life of the memory.
    pub(crate) fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    /// The revision up to which the ledger is applied.
    pub(crate) fn applied(&self) -> i64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Whether a request may be answered from memory; `read` is the boot-time clock, read after it arrived.
    pub(crate) fn fresh(&self, read: Boot) -> bool {
        read < self.fresh_until()
    }

    /// Below this moment answers from memory are true.
    pub(crate) fn fresh_until(&self) -> Boot {
        self.fresh_until.load(Ordering::Acquire)
    }

    /// The revision of the last event of this era that touched a key; where none did, that at which the era began.
    fn mark(&self, key: Key, era: u64) -> i64 {
        let packed = self.place(key).map_or(u64::MAX, |place| place.load(Ordering::Acquire));
        let revision = i64::try_from(packed & ((1 << REVISION_BITS) - 1)).unwrap_or(i64::MAX);
        match (packed >> REVISION_BITS).cmp(&era) {
            std::cmp::Ordering::Less => self.begun.load(Ordering::Acquire),
            std::cmp::Ordering::Equal => revision,
            std::cmp::Ordering::Greater => i64::MAX,
        }
    }

    /// The fill rule: whether something that was read as of `tag` and depends on `key` is good.
    pub(crate) fn holds(&self, tag: Tag, key: Key) -> bool {
        let mark = self.mark(key, tag.era);
        tag.holds(self.era(), mark)
    }

    /// Notes that an event touches a key. To be called before [`Board::publish`] says that it is applied, and by one
    /// thread at a time.
    pub(crate) fn touch(&self, key: Key, revision: i64) {
        let era = self.era.load(Ordering::Relaxed);
        if let (Some(place), Ok(revision)) = (self.place(key), u64::try_from(revision)) {
            place.fetch_max(era << REVISION_BITS | revision, Ordering::Release);
        }
    }

    /// Says how far the ledger is applied, and until when answers from memory are true.
    pub(crate) fn publish(&self, applied: i64, fresh_until: Boot) {
        self.applied.store(applied, Ordering::Release);
        self.fresh_until.store(fresh_until, Ordering::Release);
    }

    /// Ends this life: nothing that was read in it is good in the next one, which begins with [`Board::begin`], and
    /// nothing is answered until the next [`Board::publish`].
    pub(crate) fn forget(&self) {
        self.fresh_until.store(Boot::MIN, Ordering::Release);
        // Before the era: whoever sees the new one finds nothing to hold before it has begun.
        self.begun.store(i64::MAX, Ordering::Release);
        self.era.fetch_add(1, Ordering::AcqRel);
    }

    /// Begins the new life at this revision.
    pub(crate) fn begin(&self, revision: i64) {
        self.begun.store(revision, Ordering::Release);
    }
}
