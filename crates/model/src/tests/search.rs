use crate::search::{
    AccountField, Condition, Field, Match, On, Place, Search, Sort, Test, TokenField, Value, after_prefix, hexadecimal,
    ids_with_prefix,
};
use crate::{Refusal, Uuid};

fn text(on: On<AccountField>, values: &[&str]) -> Condition<AccountField> {
    let any_of = values.iter().map(|value| (*value).to_owned()).collect();
    Condition { on, test: Test::Text { how: Match::Exact, any_of }, negated: false }
}

fn range(on: On<AccountField>, from: Option<i64>) -> Condition<AccountField> {
    Condition { on, test: Test::Between { from, to: None }, negated: false }
}

fn refused(change: impl FnOnce(&mut Search<AccountField>)) -> Refusal {
    let mut search = Search::everything(100);
    search.check().unwrap();
    change(&mut search);
    search.check().unwrap_err().refusal().clone()
}

#[test]
fn bounds_hold() {
    use AccountField as F;
    assert_eq!(refused(|search| search.limit = 0), Refusal::Field("limit"));
    assert_eq!(refused(|search| search.limit = 1001), Refusal::Field("limit"));
    assert_eq!(refused(|search| search.offset = 1 << 31), Refusal::Field("offset"));
    assert_eq!(refused(|s| (s.offset, s.cursor) = (1, Some(String::new()))), Refusal::Field("offset"));
    assert_eq!(refused(|search| search.conditions = vec![text(On::Anything, &["x"]); 21]), Refusal::Field("query"));
    assert_eq!(refused(|search| search.conditions = vec![text(On::Anything, &[])]), Refusal::Field("values"));
    assert_eq!(refused(|search| search.conditions = vec![text(On::Anything, &["x"; 101])]), Refusal::Field("values"));
    let long = "\u{e9}".repeat(257);
    assert_eq!(refused(|s| s.conditions = vec![text(On::Anything, &[&long])]), Refusal::TooLong("value", 256));
    for on in [On::Anything, On::Field(F::Identifier), On::Field(F::Group), On::Field(F::Id)] {
        assert_eq!(refused(|search| search.conditions = vec![range(on, Some(1))]), Refusal::Field("range"));
    }
    assert_eq!(refused(|s| s.conditions = vec![range(On::Field(F::Tokens), None)]), Refusal::Field("range"));
    let by_group = Sort { field: F::Group, ascending: true };
    assert_eq!(refused(|search| search.sort = Some(by_group)), Refusal::Field("sort"));
    let mut most = Search::everything(1000);
    most.conditions = vec![text(On::Anything, &["\u{e9}".repeat(256).as_str(); 100]); 20];
    most.offset = (1 << 31) - 1;
    most.check().unwrap();
}

#[test]
fn a_place_is_read_back_for_its_own_order_alone() {
    let id = Uuid::from_u128(7);
    let cases = [
        (TokenField::Id, Value::Id),
        (TokenField::Name, Value::Text("a \u{1f600}".to_owned())),
        (TokenField::Name, Value::Text(String::new())),
        (TokenField::CreatedAt, Value::Number(-1)),
    ];
    for (field, value) in cases {
        for ascending in [true, false] {
            let place = Place { value: value.clone(), id, seen: 12 };
            let order = Sort { field, ascending };
            let cursor = place.encode(order);
            assert_eq!(Place::decode(&cursor, order).unwrap(), place);
            for other in TokenField::ALL.iter().filter(|other| **other != field) {
                Place::decode(&cursor, Sort { field: *other, ascending }).unwrap_err();
            }
            Place::decode(&cursor, Sort { field, ascending: !ascending }).unwrap_err();
        }
    }
    let by_name = Sort { field: TokenField::Name, ascending: true };
    let nul = Place { value: Value::Text("a\0".to_owned()), id, seen: 0 };
    Place::decode(&nul.encode(by_name), by_name).unwrap_err();
}

#[test]
fn the_end_of_a_prefix_is_above_all_that_begin_with_it_and_below_all_else() {
    assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
    assert_eq!(after_prefix("a\u{10FFFF}").as_deref(), Some("b"));
    assert_eq!(after_prefix("\u{D7FF}").as_deref(), Some("\u{E000}"));
    assert_eq!(after_prefix("\u{10FFFF}"), None);
    assert_eq!(after_prefix(""), None);
}

#[test]
fn part_of_an_id_is_hexadecimal_digits_with_dashes_anywhere() {
    let (from, to) = ids_with_prefix("0190-a").unwrap();
    assert_eq!(from.to_string(), "0190a000-0000-0000-0000-000000000000");
    assert_eq!(to.to_string(), "0190afff-ffff-ffff-ffff-ffffffffffff");
    assert_eq!(ids_with_prefix(""), Some((Uuid::nil(), Uuid::max())));
    let whole = Uuid::from_u128(u128::MAX - 5);
    assert_eq!(ids_with_prefix(&whole.to_string()), Some((whole, whole)));
    for no in ["g", "0190A", " 0", &"0".repeat(33)] {
        assert_eq!(ids_with_prefix(no), None, "{no}");
    }
    assert_eq!(hexadecimal("-ab-").as_deref(), Some("ab"));
}

#[test]
fn every_field_has_a_number_of_its_own() {
    fn numbers<F: Field>(all: &[F]) -> usize {
        all.iter().map(|field| field.number()).collect::<std::collections::BTreeSet<_>>().len()
    }
    assert_eq!(numbers(AccountField::ALL), AccountField::ALL.len());
}
