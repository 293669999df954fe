//! The shape of a credential: garbage never gets further, and nothing that we make is taken for garbage.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenhouse_model::TokenKind;
use tokenhouse_model::env::Random;
use tokenhouse_model::secret::{FOREIGN, Form, HOUSE_LENGTH, LONGEST, Shape, make};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fuzz_target!(|bytes: &[u8]| {
    match Shape::of(bytes) {
        Ok(Shape::House(kind)) => {
            let (body, check) = bytes.split_at(HOUSE_LENGTH - 6);
            assert_eq!(check, checksum(body), "accepted with a wrong checksum");
            assert_eq!(body.get(3), Some(&kind.letter()));
        }
        Ok(Shape::Foreign) => {
            assert!(FOREIGN.contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic));
            assert!(!bytes.starts_with(b"th_") && !bytes.iter().any(|b| b"\"'`\\,".contains(b)));
        }
        Ok(_) => assert!(bytes.len() <= LONGEST && bytes.is_ascii() && !bytes.contains(&b' ')),
        Err(_) => {}
    }

    // No mutation finds a right checksum by chance, so one is put on whatever came.
    let Some((first, rest)) = bytes.split_first() else { return };
    let kind = TokenKind::ALL[usize::from(*first) % TokenKind::ALL.len()];
    let mut text = [b"th_".as_slice(), &[kind.letter()], b"_"].concat();
    text.extend((0..30).map(|at| BASE62[usize::from(rest.get(at).copied().unwrap_or(0)) % 62]));
    text.extend(checksum(&text));
    assert_eq!(Shape::of(&text), Ok(Shape::House(kind)));
    // A slip in any one character is noticed without a look-up.
    let at = usize::from(rest.get(30).copied().unwrap_or(0)) % text.len();
    let slip = rest.get(31).copied().unwrap_or(0);
    if text[at] != slip {
        text[at] = slip;
        let foreign = !text.starts_with(b"th_") && Shape::of(&text) == Ok(Shape::Foreign);
        assert!(foreign || Shape::of(&text).is_err());
    }

    // Whatever we issue must be let in again.
    if let Some(seed) = bytes.first_chunk() {
        let random = Random::fixed(i64::from_le_bytes(*seed));
        for form in [Form::House, Form::Uuid, Form::Api, Form::Short] {
            let text = make(form, kind, &random);
            let expected = match form {
                Form::House => Shape::House(kind),
                Form::Uuid => Shape::Uuid,
                Form::Api => Shape::Api,
                Form::Short => Shape::Short,
            };
            assert_eq!(Shape::of(text.expose().as_bytes()), Ok(expected), "made by ourselves: {}", text.expose());
        }
    }
});

/// CRC-32 (ISO-HDLC) as six base62 digits, lowest first; written out here so that two programs have to agree.
fn checksum(bytes: &[u8]) -> [u8; 6] {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let mut value = !crc;
    [0; 6].map(|_: u8| {
        let digit = BASE62[(value % 62) as usize];
        value /= 62;
        digit
    })
}
