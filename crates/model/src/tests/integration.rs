use crate::integration::{Integration, Integrations, MOST};
use crate::{ErrorKind, Permission, PermissionSet};

fn one(name: &str) -> Integration {
    Integration {
        name: name.to_owned(),
        description: String::new(),
        permissions: PermissionSet::of(&[Permission::Ingestion]),
    }
}

#[test]
fn the_list_that_an_org_begins_with_is_in_order_and_can_be_listed() {
    let list = Integrations::default();
    assert!(list.all().is_sorted_by(|one, other| one.name < other.name));
    assert!(list.all().iter().all(|one| one.check().is_ok()));
}

#[test]
fn one_is_put_in_its_place_and_found_in_any_case() {
    let mut list = Integrations::default();
    assert_eq!(list.put(one("nagios")).unwrap(), None);
    assert_eq!(list.names(), "aws-lambda, kubernetes, nagios, tanzu-application-service, vsphere");
    assert_eq!(list.put(one("nagios")).unwrap(), Some(one("nagios")));
    assert_eq!(list.find(" NAGIOS"), Some(&one("nagios")));
    assert_eq!(list.find("nagios2"), None);
    assert_eq!(list.find(""), None);
    assert_eq!(list.take("Nagios"), Some(one("nagios")));
    assert_eq!((list.take("nagios"), list), (None, Integrations::default()));
}

#[test]
fn a_full_list_takes_no_more_but_says_something_else_of_what_it_has() {
    let mut list = Integrations::default();
    let mut number = 0;
    let full = loop {
        number += 1;
        if let Err(full) = list.put(one(&format!("x{number}"))) {
            break full;
        }
    };
    assert_eq!((full.kind(), i64::try_from(list.all().len())), (ErrorKind::Conflict, Ok(MOST)));
    assert!(list.put(one("kubernetes")).unwrap().is_some());
}
