use super::token;
use crate::access::Act;
use crate::grant::{Minting, cover, demote, depends, dismiss, mint};
use crate::role::Namespace;
use crate::{ErrorKind, Permission as P, PermissionSet, Reach, Refusal, Scopes, Surface};

fn set(permissions: &[P]) -> PermissionSet {
    PermissionSet::of(permissions)
}

#[test]
fn what_one_holds_one_can_give_and_nothing_else() {
    let caller = set(&[P::Read, P::Tokens]);
    assert!(cover(&caller, &set(&[P::Read]), &PermissionSet::none()).is_ok());
    let refused = cover(&caller, &set(&[P::Read, P::Ledger]), &PermissionSet::none()).unwrap_err();
    assert_eq!(refused.refusal(), &Refusal::NotCovered("house:ledger".to_owned()));
}

#[test]
fn a_rank_covers_those_below_it_and_no_other_dialects() {
    let none = PermissionSet::none();
    assert!(cover(&set(&[P::CspOrgOwner]), &set(&[P::CspOrgAdmin, P::CspOrgMember]), &none).is_ok());
    assert!(cover(&set(&[P::CspOrgAdmin]), &set(&[P::CspOrgMember]), &none).is_ok());
    assert!(cover(&set(&[P::CspOrgAdmin]), &set(&[P::CspOrgOwner]), &none).is_err());
    assert!(cover(&set(&[P::SplunkAdmin]), &set(&[P::SplunkPower]), &none).is_ok());
    assert!(cover(&set(&[P::SplunkAdmin]), &set(&[P::CspOrgMember]), &none).is_err());
    assert!(cover(&set(&[P::SplunkPower]), &set(&[P::SplunkReadOnly]), &none).is_err());
}

#[test]
fn a_token_with_the_accounts_permission_mints_no_more_than_itself_for_its_own_account() {
    let held = PermissionSet::whole(Namespace::Wavefront);
    let mut with = token();
    with.scopes = Scopes::Only(set(&[P::UserManagement, P::TokenManagement]));
    let effective = &with.scopes.of(&held);
    let scopes = &Scopes::Only(set(&[P::Ingestion]));
    let ask = |own| {
        mint(&Minting { with: Some(&with), own, effective, held: &held, scopes, reach: Reach::ALL, widen_reach: false })
    };
    assert!(ask(true).is_err());
    // For a service account of nothing but wavefront permissions it may: that is what Accounts is for.
    assert!(ask(false).is_ok());
}

#[test]
fn permissions_of_services_are_given_by_who_holds_them_or_manages_roles() {
    let service = PermissionSet::parse(["external/x/service:member"]).unwrap();
    let none = PermissionSet::none();
    assert!(cover(&set(&[P::Read, P::Accounts, P::UserManagement]), &service, &none).is_err());
    assert!(cover(&service, &service, &none).is_ok());
    assert!(cover(&set(&[P::Roles]), &service, &none).is_ok());
    assert!(cover(&set(&[P::CspOrgOwner]), &service, &none).is_ok());
    let mut more = service.clone();
    more.extend(&set(&[P::Ledger]));
    assert!(cover(&set(&[P::Roles]), &more, &none).is_err());
}

#[test]
fn wavefront_accounts_gives_wavefront_permissions_over_wavefront_principals_only() {
    let accounts = set(&[P::UserManagement]);
    let wavefront = PermissionSet::whole(Namespace::Wavefront);
    assert!(cover(&accounts, &wavefront, &PermissionSet::none()).is_ok());
    assert!(cover(&accounts, &wavefront, &wavefront).is_ok());
    assert!(cover(&accounts, &set(&[P::Read]), &PermissionSet::none()).is_err());
    assert!(cover(&accounts, &set(&[P::Ingestion]), &set(&[P::Read])).is_err());
    let opaque = PermissionSet::parse(["external/x/y"]).unwrap();
    assert!(cover(&accounts, &set(&[P::Ingestion]), &opaque).is_err());
}

#[test]
fn who_gains_matters_only_where_the_exception_could_decide() {
    let accounts = set(&[P::UserManagement, P::Ingestion]);
    assert!(depends(&accounts, &set(&[P::AlertsManagement])));
    assert!(!depends(&accounts, &set(&[P::Ingestion])), "covered whoever gains it");
    assert!(!depends(&accounts, &set(&[P::AlertsManagement, P::Read])), "refused whoever gains it");
    assert!(!depends(&set(&[P::Accounts, P::Roles]), &set(&[P::AlertsManagement])));
    // Where it does not depend, the answer is the same for one who holds nothing and one who holds everything.
    let holders = [PermissionSet::none(), set(P::ALL)];
    for caller in [accounts, set(&[P::Roles]), set(P::ALL)] {
        for gained in [&[P::Ingestion][..], &[P::Read], &[P::AlertsManagement], &[P::AlertsManagement, P::Read]] {
            let gained = set(gained);
            let [none, all] = holders.each_ref().map(|holds| cover(&caller, &gained, holds).is_ok());
            assert_eq!(depends(&caller, &gained), none != all);
        }
    }
}

#[test]
fn a_role_of_a_namespace_holds_only_its_permissions() {
    let mixed = PermissionSet::parse(["ingestion", "house:read", "external/x/y"]).unwrap();
    assert!(Namespace::House.check_role(&mixed).is_ok());
    for namespace in [Namespace::Wavefront, Namespace::Splunk] {
        assert!(namespace.check_role(&mixed).is_err());
        assert!(namespace.check_role(&PermissionSet::whole(namespace)).is_ok());
        assert!(namespace.check_role(&PermissionSet::none()).is_ok());
    }
    // One of VMware Cloud Services is for services, and hides no rank.
    let services = PermissionSet::parse(["ingestion", "external/x/y"]).unwrap();
    assert!(Namespace::Csp.check_role(&services).is_ok());
    for word in ["house:read", "csp:org_owner", "csp:developer", "splunk:admin"] {
        let mut with = services.clone();
        with.insert(word);
        assert!(Namespace::Csp.check_role(&with).is_err(), "{word}");
    }
}

#[test]
fn a_rank_is_taken_by_who_could_give_it_and_anything_else_by_anybody() {
    let ranks = [P::CspOrgOwner, P::CspOrgAdmin, P::CspOrgMember, P::CspDeveloper];
    let takes = |caller: &[P]| ranks.map(|rank| demote(&set(caller), &set(&[rank])).is_ok());
    assert_eq!(takes(&[P::CspOrgOwner]), [true; 4]);
    assert_eq!(takes(&[P::CspOrgAdmin]), [false, true, true, false]);
    assert_eq!(takes(&[P::UserManagement, P::SplunkAdmin, P::Accounts]), [false; 4]);
    // Whoever manages roles stands above the dialects' ranks.
    assert_eq!(takes(&[P::Roles]), [true; 4]);
    let mut rest = PermissionSet::parse(["external/x/y"]).unwrap();
    rest.extend(&set(&[P::Read, P::Ingestion]));
    assert!(demote(&PermissionSet::none(), &rest).is_ok());
    assert!(demote(&set(&[P::SplunkPower]), &set(&[P::SplunkAdmin])).is_err());
}

#[test]
fn nobody_dismisses_one_whose_rank_is_above_his_own() {
    let ranks = [P::CspOrgOwner, P::CspOrgAdmin, P::CspOrgMember, P::CspDeveloper, P::SplunkAdmin, P::Roles];
    let dismisses = |caller: P| ranks.map(|rank| dismiss(&set(&[caller]), &set(&[rank])).is_ok());
    assert_eq!(dismisses(P::CspOrgAdmin), [false, true, true, true, false, true]);
    assert_eq!(dismisses(P::SplunkAdmin), [false, false, true, true, true, true]);
    for all in [P::CspOrgOwner, P::Accounts, P::UserManagement] {
        assert_eq!(dismisses(all), [true; 6]);
    }
}

#[test]
fn what_is_taken_out_of_a_set_is_not_in_it() {
    let mut some = PermissionSet::parse(["house:read", "external/x/y", "external/x/z"]).unwrap();
    for text in ["house:read", "external/x/y", "external/x/z"] {
        assert!(some.contains(text));
        some.remove(text);
        some.remove(text);
        assert!(!some.contains(text));
    }
    assert!(some.is_empty() && some == PermissionSet::none());
}

#[test]
fn a_token_is_never_more_than_the_one_that_makes_it() {
    let held = set(&[P::Read, P::IssueTokens]);
    let mut with = token();
    let ask = |with: &crate::Token, own, effective: &PermissionSet, scopes: &Scopes, reach, widen_reach| {
        mint(&Minting { with: Some(with), own, effective, held: &held, scopes, reach, widen_reach })
            .map_err(|e| e.kind())
    };
    let all = Scopes::All;
    assert_eq!(ask(&with, true, &held, &all, Reach::ALL, false), Ok(()));
    // Less than the owner holds is not enough for all that he holds.
    assert_eq!(ask(&with, true, &set(&[P::Read]), &all, Reach::ALL, false), Err(ErrorKind::Forbidden));
    // A scoped token that covers everything today does not make one that grows tomorrow.
    with.scopes = Scopes::Only(held.clone());
    assert_eq!(ask(&with, true, &held, &all, Reach::ALL, false), Err(ErrorKind::Forbidden));
    assert_eq!(ask(&with, true, &held, &Scopes::Only(held.clone()), Reach::ALL, false), Ok(()));
    // Scopes name only what the owner holds.
    let more = Scopes::Only(set(&[P::Ledger]));
    assert_eq!(ask(&with, true, &held, &more, Reach::ALL, false), Err(ErrorKind::Invalid));
    // Reach is widened by policy alone.
    with.reach = Reach::of(&[Surface::Native]);
    let scoped = Scopes::Only(held.clone());
    assert_eq!(ask(&with, true, &held, &scoped, Reach::ALL, false), Err(ErrorKind::Forbidden));
    assert_eq!(ask(&with, true, &held, &scoped, Reach::ALL, true), Ok(()));
}

#[test]
fn a_refused_act_names_the_native_permission() {
    let refused = Act::ManageAccounts.check(&PermissionSet::none()).unwrap_err();
    assert_eq!(refused.refusal(), &Refusal::MissingPermission(P::Accounts));
    assert!(Act::ManageAccounts.check(&set(&[P::UserManagement])).is_ok());
}

#[test]
fn every_management_permission_has_a_bit_of_its_own_and_reads_back() {
    let all = set(P::ALL);
    assert_eq!(all.names().len(), P::ALL.len());
    for permission in P::ALL {
        assert_eq!(P::parse(permission.as_str()).unwrap(), *permission);
        assert_eq!(set(&[*permission]).names(), [permission.as_str()]);
    }
    assert_eq!(all.intersection(&set(&[P::Read])), set(&[P::Read]));
}
