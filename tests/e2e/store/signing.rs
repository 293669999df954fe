//! Rows of signing keys, and how their private halves rest.

use tokenhouse_model::env::Random;
use tokenhouse_model::signing::{Algorithm, SigningKey};
use tokenhouse_model::{NEVER, Result, Uuid};
use tokenhouse_store::{Conn, MasterKey, signing};

/// The key that a replay of the journal ends.
pub const LEAKED: Uuid = Uuid::from_u128(81);

fn key(id: Uuid, signs_from: i64) -> SigningKey {
    SigningKey {
        id,
        algorithm: Algorithm::EdDsa,
        public: vec![1, 0, 255],
        sealed: vec![2, 0, 254],
        created_at: 3,
        signs_from,
        ended_at: NEVER,
        compromised: false,
    }
}

/// Everything that is asked of these rows.
pub async fn kept(conn: &mut Conn<'_>) -> Result<()> {
    let (first, second) = (key(Uuid::from_u128(82), 4), key(Uuid::from_u128(80), 5));
    for key in [&second, &first, &key(LEAKED, 6)] {
        signing::insert(conn, key).await?;
    }
    assert_eq!(signing::all(conn).await?, [first.clone(), second.clone(), key(LEAKED, 6)]);
    assert_eq!(signing::end(conn, first.id, 9, false).await?, 1);
    // What ended stays ended, and one that is compromised stays so.
    assert_eq!(signing::end(conn, first.id, 8, true).await?, 1);
    assert_eq!(signing::end(conn, first.id, 10, false).await?, 1);
    assert_eq!(signing::end(conn, Uuid::nil(), 8, true).await?, 0);
    signing::wipe(conn, second.id).await?;
    let ended = SigningKey { sealed: Vec::new(), ended_at: 8, compromised: true, ..first };
    assert_eq!(signing::all(conn).await?, [ended, SigningKey { sealed: Vec::new(), ..second }, key(LEAKED, 6)]);
    assert_eq!(signing::days(conn).await?, 90);
    for days in [0, 3650] {
        signing::set_days(conn, days).await?;
        assert_eq!(signing::days(conn).await?, days);
    }
    assert_eq!(signing::issuers(conn).await?, [""; 0]);
    for issuers in [vec!["https://one".to_owned()], vec!["https://two".to_owned(), "http://three:3".to_owned()]] {
        signing::set_issuers(conn, &issuers).await?;
        assert_eq!(signing::issuers(conn).await?, issuers);
    }
    signing::set_days(conn, 90).await
}

#[test]
fn a_private_half_opens_for_its_own_key_under_its_own_master_key_and_unaltered() {
    let (folder, random) = (tempfile::tempdir().unwrap(), Random::system());
    let master = MasterKey::create(&folder.path().join("one.key"), &random).unwrap();
    let other = MasterKey::create(&folder.path().join("other.key"), &random).unwrap();
    let (id, private) = (Uuid::from_u128(1), b"a private half that nobody may read");
    let sealed = master.seal_signing(id, private, &random).unwrap();
    assert!(!sealed.windows(8).any(|part| private.windows(8).any(|known| known == part)));
    assert_eq!(*master.open_signing(id, &sealed).unwrap(), private);
    assert_ne!(sealed, master.seal_signing(id, private, &random).unwrap(), "sealed twice alike");
    master.open_signing(Uuid::from_u128(2), &sealed).unwrap_err();
    other.open_signing(id, &sealed).unwrap_err();
    for at in [0, 12, sealed.len() - 1] {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        master.open_signing(id, &altered).unwrap_err();
    }
    for length in 0..28 {
        master.open_signing(id, &sealed[..length]).unwrap_err();
    }
}
