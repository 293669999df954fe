use crate::named::{Named, organization, services, spelled_out};
use crate::role::OPERATIONS;
use crate::{Permission as P, PermissionSet};

fn word(service: &str, rest: &str) -> String {
    format!("external/{service}/{rest}")
}

#[test]
fn a_service_and_what_a_role_is_bound_to_are_read_back_from_its_word() {
    for (rest, resource, role) in
        [("user", None, "user"), ("*/user", Some("*"), "user"), ("a/b/user", Some("a/b"), "user")]
    {
        let named =
            Named::Service { service: "x".to_owned(), resource: resource.map(str::to_owned), role: role.to_owned() };
        assert_eq!(Named::of_word(&word("x", rest)), Some(named.clone()));
        assert_eq!(named.word(), word("x", rest));
        assert!(named.meant().is_ok());
    }
    for other in ["ingestion", "csp:org_owner", "external/x"] {
        assert_eq!(Named::of_word(other), None, "{other}");
    }
}

#[test]
fn only_roles_of_this_dialect_have_names_in_it() {
    for text in ["org_owner", "csp:org_owner", "developer"] {
        assert!(organization(text).is_some(), "{text}");
    }
    for text in ["administrator", "admin", "csp:admin", "aoa:viewer", "csp:csp:org_owner", ""] {
        assert!(organization(text).is_none(), "{text}");
        assert!(Named::Organization(text.to_owned()).meant().is_err(), "{text}");
    }
}

#[test]
fn words_of_the_known_service_bring_what_they_stand_for_and_others_nothing() {
    let alerts = word(OPERATIONS, "aoa:alerts");
    let some = PermissionSet::parse([alerts.as_str(), "external/x/aoa:events"]).unwrap();
    let mut wanted = some.clone();
    wanted.extend(&PermissionSet::of(&[P::AlertsManagement]));
    assert_eq!(spelled_out(&some), wanted);
    assert_eq!(spelled_out(&wanted), wanted);
}

#[test]
fn permissions_belong_to_services() {
    let of = |texts: &[&str]| services(&PermissionSet::parse(texts.iter().copied()).unwrap());
    assert_eq!(of(&["house:read", "csp:developer"]), Vec::<String>::new());
    assert_eq!(of(&["ingestion"]), [OPERATIONS]);
    assert_eq!(of(&["ingestion", &word(OPERATIONS, "aoa:viewer"), "external/x/a", "external/x/b"]), [OPERATIONS, "x"]);
}
