//! What verify remembers: three small things joined at `decide` (design 4), and secrets that do not exist.
//!
//! Each thing says as of when it was read and until when it is good by itself. Whether it is good is asked of the
//! [`Board`] at every look, so nothing has to be found and removed when an event touches it.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::mem::size_of;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use tokenhouse_model::account::AccountKind;
use tokenhouse_model::follow::Tag;
use tokenhouse_model::secret::{Digest, Proof};
use tokenhouse_model::{Account, Millis, Org, PermissionSet, Policy, Token, Uuid, app, grafana};

use super::board::{Board, Key};
use super::signed::Checked;
use super::uses::Tally;

/// A secret and its token.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) secret: Proof,
    pub(crate) token: Token,
    /// Whether the answer that carried the secret may still be kept for a repeated request, though it arrived.
    pub(crate) young: AtomicBool,
    /// Whether it is an api token that may tell who its owner is, which never changes.
    pub(crate) openid: bool,
    /// How the token is used on this node.
    pub(crate) tally: Arc<Tally>,
    pub(crate) tag: Tag,
}

/// Who holds the permissions behind a token: its owner, or the org token itself.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) id: Uuid,
    pub(crate) account: Option<Account>,
    pub(crate) held: PermissionSet,
    /// How long the access tokens of an app live, in milliseconds; 0 of anybody else.
    pub(crate) life: Millis,
    /// Until when nothing of it changes by itself: the first of its assignments to expire.
    pub(crate) good_until: Millis,
    pub(crate) domain: Arc<Domain>,
    pub(crate) tag: Tag,
}

/// A secret with the holder that it was last joined with, so that the common look needs one look-up and not two.
#[derive(Clone, Debug)]
struct Joined {
    known: Arc<Known>,
    holder: Arc<Holder>,
}

/// An org and its rules.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) org: Org,
    pub(crate) policy: Policy,
    pub(crate) tag: Tag,
}

impl Known {
    /// The same as it is for an account of the owner's in another org, which follows that org's rules.
    pub(crate) fn of_guest(&self, guest: &Account) -> Self {
        Self {
            secret: self.secret,
            token: Token { owner_id: guest.id, org_id: guest.org_id, ..self.token.clone() },
            young: AtomicBool::new(false),
            openid: self.openid,
            tally: self.tally.clone(),
            tag: self.tag,
        }
    }

    pub(crate) fn holder_id(&self) -> Uuid {
        if self.token.owner_id.is_nil() { self.token.id } else { self.token.owner_id }
    }

    /// When the token was last used, as far as this node knows: uses that are not flushed yet count as well.
    pub(crate) fn last_used_at(&self) -> Millis {
        self.token.last_used_at.max(self.tally.latest())
    }

    /// Whether the token rested too long under these rules, as far as this node knows.
    pub(crate) fn seems_idle(&self, policy: &Policy, now: Millis) -> bool {
        // The second look takes a lock, which the common token never needs.
        let token = &self.token;
        now >= token.idles_at(policy, token.last_used_at) && now >= token.idles_at(policy, self.last_used_at())
    }

    fn holds(&self, board: &Board) -> bool {
        board.holds(self.tag, Key::Token(self.token.id))
    }
}

impl Holder {
    /// Whether it is the app of this folded client id.
    pub(crate) fn is_client(&self, client: &str) -> bool {
        let app = self.account.as_ref().filter(|account| account.kind == AccountKind::App);
        app.is_some_and(|account| account.identifier_fold == client)
    }

    pub(crate) fn holds(&self, board: &Board, now: Millis) -> bool {
        // Both what it holds and its org's part were touched if the org was; its org's part may have been read earlier.
        let org = Key::Org(self.domain.org.id);
        now < self.good_until
            && board.holds(self.tag, Key::Holder(self.id))
            && board.holds(self.tag, org)
            && board.holds(self.domain.tag, org)
    }
}

impl Domain {
    fn holds(&self, board: &Board) -> bool {
        board.holds(self.tag, Key::Org(self.org.id))
    }
}

/// What is known of a digest.
#[derive(Clone, Debug)]
pub(crate) enum Recalled {
    /// A token, its secret, and who stands behind it.
    Known(Arc<Known>, Arc<Holder>),
    /// There is no such secret.
    Unknown(Missing),
}

/// That there is no such secret, as of a reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Missing {
    pub(crate) tag: Tag,
    /// Whether it may be there by another digest than the one by which it is remembered.
    pub(crate) slow: Slowly,
}

/// Which secrets are stored by slow digests, which nobody makes again and again to see whether they are there by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slowly {
    /// Not this one.
    No,
    /// Those of Grafana's.
    Grafana,
    /// Those that makers of apps chose.
    Chosen,
}

impl Slowly {
    /// What every event says that makes one.
    fn mark(self) -> Option<Digest> {
        match self {
            Self::No => None,
            Self::Grafana => Some(grafana::ANY),
            Self::Chosen => Some(app::CHOSEN),
        }
    }
}

impl Missing {
    fn holds(self, digest: &Digest, board: &Board) -> bool {
        let unmarked = |digest: &Digest| board.holds(self.tag, Key::Digest(digest.0));
        unmarked(digest) && self.slow.mark().as_ref().is_none_or(unmarked)
    }
}

impl Recalled {
    /// Whether it is still true.
    pub(crate) fn holds(&self, digest: &Digest, board: &Board, now: Millis) -> bool {
        match self {
            Self::Known(known, holder) => known.holds(board) && holder.holds(board, now),
            Self::Unknown(missing) => missing.holds(digest, board),
        }
    }
}

/// Keys are random already: digests, and the random end of ids.
#[derive(Debug, Default)]
pub(crate) struct Plain(u64);

impl Hasher for Plain {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 = u64::from_ne_bytes(*last).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    // The length that stands before a slice says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

type Map<K, V> = Cache<K, V, Weigh, BuildHasherDefault<Plain>, DefaultLifecycle<K, V>>;

/// Bytes of a place in the table itself: key, pointer, links and the free part of it.
const PLACE: usize = 96;

/// What an entry takes, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weigh;

impl Weighter<Digest, Joined> for Weigh {
    fn weight(&self, _: &Digest, joined: &Joined) -> u64 {
        let known = &joined.known;
        let token = &known.token;
        let texts = token.short_id.len() + token.name.len() + token.name_fold.len() + token.last_used_address.len();
        let scopes = token.scopes.only().map_or(0, services) + token.addresses.count() * 24;
        (PLACE + size_of::<Known>() + size_of::<Tally>() + 128 + texts + scopes) as u64
    }
}

impl Weighter<Digest, Missing> for Weigh {
    fn weight(&self, _: &Digest, _: &Missing) -> u64 {
        PLACE as u64
    }
}

impl Weighter<Uuid, Arc<Holder>> for Weigh {
    fn weight(&self, _: &Uuid, holder: &Arc<Holder>) -> u64 {
        let account = holder.account.as_ref();
        let texts = account.map_or(0, |a| a.identifier.len() + a.identifier_fold.len() + a.description.len());
        (PLACE + size_of::<Holder>() + 16 + texts + services(&holder.held)) as u64
    }
}

impl Weighter<Uuid, Arc<Domain>> for Weigh {
    fn weight(&self, _: &Uuid, domain: &Arc<Domain>) -> u64 {
        let org = &domain.org;
        (PLACE + size_of::<Domain>() + 16 + org.name.len() + org.name_fold.len() + org.data_key.len()) as u64
    }
}

impl Weighter<Digest, Arc<Checked>> for Weigh {
    fn weight(&self, _: &Digest, checked: &Arc<Checked>) -> u64 {
        let texts = checked.audience.len() + services(&checked.derived.permissions);
        (PLACE + size_of::<Checked>() + 16 + texts) as u64
    }
}

/// What the permissions of services take.
fn services(set: &PermissionSet) -> usize {
    set.services().map(|service| service.len() + 48).sum()
}

/// The memory of one node, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Memory {
    known: Map<Digest, Joined>,
    unknown: Map<Digest, Missing>,
    holders: Map<Uuid, Arc<Holder>>,
    domains: Map<Uuid, Arc<Domain>>,
    /// Access tokens whose signatures were checked, by the digest of all of their text.
    checked: Map<Digest, Arc<Checked>>,
}

/// How full the memory is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filled {
    /// Secrets with their tokens.
    pub secrets: usize,
    /// Secrets that do not exist.
    pub unknown: usize,
    /// Accounts and org tokens with what they hold.
    pub holders: usize,
    /// Bytes of all of it, as weighed.
    pub bytes: u64,
}

impl Memory {
    /// A memory of at most so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        // Junk has a part of its own, so that no flood of it pushes out what is good.
        Self {
            known: map(bytes / 100 * 60, 750),
            unknown: map(bytes / 100 * 8, PLACE as u64),
            holders: map(bytes / 100 * 24, 450),
            domains: map(bytes / 100 * 2, 500),
            checked: map(bytes / 100 * 6, 400),
        }
    }

    /// What is remembered of a digest, if it is still true.
    pub(crate) fn recall(&self, digest: &Digest, board: &Board, now: Millis) -> Option<Recalled> {
        let Some(Joined { known, holder }) = self.known.get(digest) else {
            let unknown = Recalled::Unknown(self.unknown.get(digest)?);
            return unknown.holds(digest, board, now).then_some(unknown);
        };
        if !known.holds(board) {
            return None;
        }
        if holder.holds(board, now) {
            return Some(Recalled::Known(known, holder));
        }
        // Another token of the same holder may have been asked about since.
        let holder = self.holder(known.holder_id(), board, now)?;
        self.known.insert(*digest, Joined { known: known.clone(), holder: holder.clone() });
        Some(Recalled::Known(known, holder))
    }

    /// Who stands behind a token, if that is still true.
    pub(crate) fn holder(&self, id: Uuid, board: &Board, now: Millis) -> Option<Arc<Holder>> {
        self.holders.get(&id).filter(|holder| holder.holds(board, now))
    }

    /// An org and its rules, if that is still true.
    pub(crate) fn domain(&self, id: Uuid, board: &Board) -> Option<Arc<Domain>> {
        self.domains.get(&id).filter(|domain| domain.holds(board))
    }

    /// Remembers who stands behind a token, and the org.
    pub(crate) fn remember_holder(&self, holder: &Arc<Holder>) {
        let org = holder.domain.org.id;
        if self.domains.peek(&org).is_none_or(|domain| domain.tag < holder.domain.tag) {
            self.domains.insert(org, holder.domain.clone());
        }
        if self.holders.peek(&holder.id).is_none_or(|there| !Arc::ptr_eq(&there, holder)) {
            self.holders.insert(holder.id, holder.clone());
        }
    }

    /// Remembers what was read. What is not true any more by then does no harm: it is asked at every look.
    pub(crate) fn remember(&self, digest: &Digest, recalled: &Recalled) {
        match recalled {
            Recalled::Known(known, holder) => {
                self.remember_holder(holder);
                self.known.insert(*digest, Joined { known: known.clone(), holder: holder.clone() });
            }
            Recalled::Unknown(missing) => {
                self.known.remove(digest);
                self.unknown.insert(*digest, *missing);
            }
        }
    }

    /// Forgets what is known of a digest, so that it is read again.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.known.remove(digest);
    }

    /// An access token that was checked before.
    pub(crate) fn checked(&self, digest: &Digest) -> Option<Arc<Checked>> {
        self.checked.get(digest)
    }

    /// Remembers that an access token was checked.
    pub(crate) fn remember_checked(&self, digest: &Digest, checked: &Arc<Checked>) {
        self.checked.insert(*digest, checked.clone());
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.known.clear();
        self.unknown.clear();
        self.holders.clear();
        self.domains.clear();
        self.checked.clear();
    }

    /// How full it is.
    pub(crate) fn filled(&self) -> Filled {
        let bytes = self.known.weight() + self.unknown.weight() + self.holders.weight() + self.domains.weight();
        let bytes = bytes + self.checked.weight();
        Filled { secrets: self.known.len(), unknown: self.unknown.len(), holders: self.holders.len(), bytes }
    }
}

fn map<K: Eq + Hash, V: Clone>(bytes: u64, each: u64) -> Map<K, V>
where
    Weigh: Weighter<K, V>,
{
    let items = usize::try_from(bytes / each).unwrap_or(usize::MAX).max(1);
    // Many small parts, so that two requests seldom wait for the same lock.
    let mut options = OptionsBuilder::new();
    let options = options.shards(64).estimated_items_capacity(items).weight_capacity(bytes);
    match options.build() {
        Ok(options) => Cache::with_options(options, Weigh, BuildHasherDefault::default(), DefaultLifecycle::default()),
        // Both capacities are given, which is all that can be wrong.
        Err(_) => Cache::with(items, bytes, Weigh, BuildHasherDefault::default(), DefaultLifecycle::default()),
    }
}
