use crate::moves::{Move, check};
use crate::token::{Standing, TokenKind};

/// The table once more, written down as a picture: rows are kinds, columns standings, letters the lawful moves
/// (n rename, x expiry, - deactivate, + reactivate, r rotate, ! revoke).
const PICTURE: &[(TokenKind, [&str; 4])] = &[
    (TokenKind::User, ["nx-+r!", "nx-+!", "n!", "!"]),
    (TokenKind::Service, ["nx-+r!", "nx-+!", "n!", "!"]),
    (TokenKind::Api, ["n-+r!", "n-+!", "nr!", "!"]),
    (TokenKind::ClientSecret, ["-+r!", "-+!", "!", "!"]),
    (TokenKind::Session, ["-+!", "-+!", "!", "!"]),
    (TokenKind::Org, ["nx-+r!", "nx-+!", "n!", "!"]),
];

const STANDINGS: [Standing; 4] = [Standing::Active, Standing::Inactive, Standing::Expired, Standing::Revoked];

fn letter(wanted: Move) -> char {
    match wanted {
        Move::Rename => 'n',
        Move::ChangeExpiry => 'x',
        Move::Deactivate => '-',
        Move::Reactivate => '+',
        Move::Rotate => 'r',
        Move::Revoke => '!',
    }
}

#[test]
fn every_kind_and_standing_allows_its_moves_and_no_others() {
    assert_eq!(PICTURE.len(), TokenKind::ALL.len());
    for (kind, columns) in PICTURE {
        for (standing, lawful) in STANDINGS.iter().zip(columns) {
            for wanted in Move::ALL {
                let allowed = check(*kind, *standing, *wanted).is_ok();
                assert_eq!(allowed, lawful.contains(letter(*wanted)), "{kind} {standing} {wanted}");
            }
        }
    }
}
