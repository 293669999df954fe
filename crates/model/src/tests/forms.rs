use std::collections::HashSet;

use crate::chain::{Fault, Walk, body_hash, link};
use crate::cursor::Cursor;
use crate::decide::Reason;
use crate::env::{Clock, Random};
use crate::event::{EventKind, Recorded};
use crate::secret::{Form, HOUSE_LENGTH, Shape, make};
use crate::{SecretText, TokenKind, Uuid, name};

#[test]
fn every_form_has_its_shape() {
    let random = Random::system();
    for kind in TokenKind::ALL {
        let text = make(Form::House, *kind, &random);
        assert_eq!(text.expose().len(), HOUSE_LENGTH);
        assert_eq!(Shape::of(text.expose().as_bytes()), Ok(Shape::House(*kind)));
    }
    for (form, shape) in [(Form::Uuid, Shape::Uuid), (Form::Api, Shape::Api), (Form::Short, Shape::Short)] {
        assert_eq!(Shape::of(make(form, TokenKind::User, &random).expose().as_bytes()), Ok(shape));
    }
}

#[test]
fn a_house_secret_with_one_wrong_character_is_refused_without_a_look_up() {
    let text = make(Form::House, TokenKind::User, &Random::fixed(7));
    for at in 0..text.expose().len() {
        let mut bytes = text.expose().as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        // Without its beginning it is nothing of ours, and may be another's.
        let expected = if at < 3 { Ok(Shape::Foreign) } else { Err(Reason::Malformed) };
        assert_eq!(Shape::of(&bytes), expected, "at {at}");
    }
    assert_eq!(Shape::of(&text.expose().as_bytes()[..40]), Err(Reason::Malformed));
}

#[test]
fn a_huge_credential_is_refused_by_its_length() {
    assert_eq!(Shape::of(&vec![b'a'; 1 << 20]), Err(Reason::Malformed));
}

#[test]
fn secrets_do_not_repeat_and_do_not_show_in_debug() {
    let random = Random::system();
    let texts: HashSet<String> =
        (0..1000).map(|_| make(Form::House, TokenKind::User, &random).expose().to_owned()).collect();
    assert_eq!(texts.len(), 1000);
    let text = SecretText::new("hunter2hunter2".to_owned());
    assert_eq!(format!("{text:?}"), "SecretText(..)");
    assert_eq!(text.last4(), "ter2");
}

#[test]
fn a_clock_that_is_set_back_stands_still() {
    let clock = Clock::manual(1000);
    assert_eq!(clock.now(), 1000);
    clock.advance(-500);
    assert_eq!(clock.now(), 1000);
    clock.not_before(2000);
    assert_eq!(clock.now(), 2000);
}

#[test]
fn cursors_come_back_as_they_went_and_nothing_else_does() {
    let cursor = Cursor { after: Uuid::from_u128(42) };
    assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
    let shifted = cursor.encode().split_off(1);
    for text in ["", "x", "AAAA", &"A".repeat(100), "Ag", &shifted] {
        assert!(Cursor::decode(text).is_err(), "{text}");
    }
}

#[test]
fn names_have_bounds_and_no_control_characters() {
    assert!(name::check("name", &"ä".repeat(128), 128).is_ok());
    assert!(name::check("name", &"ä".repeat(129), 128).is_err());
    for text in ["", "  ", "a\0", "a\nb", "a\u{202E}b", "\u{7f}"] {
        assert!(name::check("name", text, 128).is_err(), "{text:?}");
    }
    assert_eq!(name::service("identifier", "Deployer").unwrap(), "sa::deployer");
    assert_eq!(name::email("email", " Ana@Example.TEST ").unwrap(), "ana@example.test");
    assert!(name::email("email", "no at sign").is_err());
}

fn event(revision: i64, previous: &[u8]) -> Recorded {
    let mut event = Recorded {
        revision,
        epoch: 1,
        at: revision,
        org_id: Uuid::nil(),
        kind: EventKind::OrgCreated,
        subject: Uuid::nil(),
        actor_account: Uuid::nil(),
        actor_token: Uuid::nil(),
        address: String::new(),
        request_id: String::new(),
        body: "{}".to_owned(),
        salt: vec![1; 16],
        body_hash: Vec::new(),
        hash: Vec::new(),
    };
    event.body_hash = body_hash(&event).to_vec();
    event.hash = link(previous, 1, revision, &event.body_hash).to_vec();
    event
}

#[test]
fn the_chain_finds_edits_removals_and_replacements_and_stands_redaction() {
    let first = event(1, &Walk::default().hash);
    let second = event(2, &first.hash);
    let walk = |events: &[&Recorded]| {
        let mut walk = Walk::default();
        events.iter().try_for_each(|event| walk.step(event)).map(|()| walk)
    };
    assert!(walk(&[&first, &second]).is_ok());
    assert_eq!(walk(&[&second]).unwrap_err(), Fault::Missing(1));
    let edited = Recorded { body: "{\"x\":1}".to_owned(), ..second.clone() };
    assert_eq!(walk(&[&first, &edited]).unwrap_err(), Fault::Edited(2));
    let replaced = event(2, &[9; 32]);
    assert_eq!(walk(&[&first, &replaced]).unwrap_err(), Fault::Broken(2));
    let redacted = Recorded { body: String::new(), salt: Vec::new(), ..second };
    assert_eq!(walk(&[&first, &redacted]).unwrap().redacted, 1);
}
