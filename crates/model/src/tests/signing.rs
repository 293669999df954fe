use crate::signing::Phase::{Compromised, Next, Retired, Signing, Verifying};
use crate::signing::{Algorithm, LEAD, LONGEST_LIFE, Phase, SKEW, SigningKey, due, rotation, signing};
use crate::{ErrorKind, Millis, NEVER, Uuid};

const NOW: Millis = 1_790_000_000_000;
const DAY: Millis = crate::policy::DAY;

fn key(number: u128, signs_from: Millis) -> SigningKey {
    SigningKey {
        id: Uuid::from_u128(number),
        algorithm: Algorithm::Rs256,
        public: Vec::new(),
        sealed: Vec::new(),
        created_at: NOW,
        signs_from,
        ended_at: NEVER,
        compromised: false,
    }
}

fn phases(all: &[SigningKey], now: Millis) -> Vec<Phase> {
    all.iter().map(|key| key.phase(all, now)).collect()
}

#[test]
fn a_key_is_published_before_it_signs_and_until_what_it_signed_is_over() {
    let over = NOW + LEAD + LONGEST_LIFE + SKEW;
    let all = [key(1, NOW - DAY), key(2, NOW + LEAD)];
    assert_eq!(phases(&all, NOW), [Signing, Next]);
    assert_eq!(phases(&all, NOW + LEAD - 1), [Signing, Next]);
    assert_eq!(phases(&all, NOW + LEAD), [Verifying, Signing]);
    assert_eq!(phases(&all, over - 1), [Verifying, Signing]);
    assert_eq!(phases(&all, over), [Retired, Signing]);
    assert_eq!((all[0].signs_until(&all), all[0].believed_until(&all)), (NOW + LEAD, over));
    assert_eq!((all[1].signs_until(&all), all[1].believed_until(&all)), (NEVER, NEVER));
}

#[test]
fn exactly_one_key_of_an_algorithm_signs_at_any_moment() {
    // Made at the same moment, in a hurry, and one that never came to sign.
    let never = SigningKey { ended_at: NOW + 1, ..key(9, NOW + LEAD) };
    let leaked = SigningKey { ended_at: NOW + 10, compromised: true, ..key(4, NOW) };
    let all = [key(1, NOW - DAY), key(2, NOW), key(3, NOW), leaked, key(5, NOW + 10), never];
    for now in [NOW - DAY, NOW - 1, NOW, NOW + 10, NOW + LEAD, NOW + LEAD + 1] {
        let signs = phases(&all, now).iter().filter(|phase| **phase == Signing).count();
        let leaked_signs = (NOW..NOW + 10).contains(&now);
        // What is known later to have been compromised counts as compromised from the beginning.
        assert_eq!(signs, usize::from(!leaked_signs), "at {now}");
    }
    assert_eq!(signing(&all, Algorithm::Rs256, NOW + LEAD).map(|key| key.id), Some(Uuid::from_u128(5)));
    assert_eq!(signing(&all, Algorithm::Es256, NOW), None);
}

#[test]
fn a_compromised_key_is_never_believed() {
    let leaked = SigningKey { ended_at: NOW, compromised: true, ..key(1, NOW - DAY) };
    let all = [leaked, key(2, NOW)];
    assert_eq!(phases(&all, NOW), [Compromised, Signing]);
    assert_eq!(all[0].believed_until(&all), NOW);
    assert_eq!(phases(&all, NOW + 365 * DAY), [Compromised, Signing]);
    assert!(!Compromised.published() && !Retired.published() && Verifying.published() && Next.published());
}

#[test]
fn a_new_key_waits_until_it_is_known() {
    let all = [key(1, NOW - DAY)];
    assert_eq!(rotation(&all, Algorithm::Rs256, false, NOW).unwrap(), NOW + LEAD);
    assert_eq!(rotation(&all, Algorithm::Rs256, true, NOW).unwrap(), NOW);
    // There is none that could sign meanwhile.
    assert_eq!(rotation(&all, Algorithm::EdDsa, false, NOW).unwrap(), NOW);
    let all = [key(1, NOW - DAY), key(2, NOW + 5)];
    assert_eq!(rotation(&all, Algorithm::Rs256, false, NOW).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(rotation(&all, Algorithm::Rs256, true, NOW).unwrap(), NOW);
    assert_eq!(rotation(&all, Algorithm::Rs256, false, NOW + 5).unwrap(), NOW + 5 + LEAD);
    // Not at the same moment as another.
    assert_eq!(rotation(&all, Algorithm::Rs256, true, NOW + 5).unwrap(), NOW + 6);
}

#[test]
fn a_key_is_replaced_in_time_to_sign_when_its_days_are_over() {
    let all = [key(1, NOW)];
    let end = NOW + 90 * DAY;
    assert!(!due(&all, Algorithm::Rs256, 90, end - LEAD - 1));
    assert!(due(&all, Algorithm::Rs256, 90, end - LEAD));
    assert!(!due(&all, Algorithm::Rs256, 0, end), "never is never");
    assert!(due(&all, Algorithm::EdDsa, 0, end), "one that is missing is made all the same");
    let all = [key(1, NOW), key(2, end)];
    assert!(!due(&all, Algorithm::Rs256, 90, end - LEAD), "its successor is there");
}
