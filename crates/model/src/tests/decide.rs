use super::{account, org, secret, token};
use crate::account::AccountState;
use crate::address::AddressRules;
use crate::decide::{Ask, Derived, Facts, Reason, Way, decide};
use crate::org::OrgState;
use crate::{
    Account, Kinds, Org, Permission, PermissionSet, Policy, Reach, Secret, Surface, Token, TokenKind, TokenState, Uuid,
};

const NOW: i64 = 10_000;

struct Case {
    token: Token,
    secret: Secret,
    account: Option<Account>,
    org: Org,
    policy: Policy,
    derived: Option<Derived>,
}

impl Case {
    fn new() -> Self {
        let (account, policy) = (Some(account()), Policy::default());
        Self { token: token(), secret: secret(), account, org: org(), policy, derived: None }
    }

    fn ask(&self, ask: &Ask<'_>) -> Result<PermissionSet, Reason> {
        let held = PermissionSet::of(&[Permission::Read]);
        let Self { token, secret, account, org, policy, derived } = self;
        decide(
            &Facts {
                token,
                secret: &secret.proof(),
                last_used_at: token.last_used_at,
                account: account.as_ref(),
                held: &held,
                org,
                policy,
                derived: derived.as_ref(),
            },
            ask,
            NOW,
        )
    }

    fn verdict(&self) -> Result<(), Reason> {
        self.ask(&Ask::on(Surface::Native, None)).map(|_| ())
    }
}

fn changed(change: impl FnOnce(&mut Case)) -> Result<(), Reason> {
    let mut case = Case::new();
    change(&mut case);
    case.verdict()
}

#[test]
fn a_good_credential_is_good() {
    assert_eq!(changed(|_| ()), Ok(()));
}

#[test]
fn each_fact_alone_refuses_with_its_own_reason() {
    assert_eq!(changed(|c| c.secret.token_id = Uuid::nil()), Err(Reason::Unknown));
    assert_eq!(changed(|c| c.token.state = TokenState::Revoked), Err(Reason::Revoked));
    assert_eq!(changed(|c| c.token.state = TokenState::Inactive), Err(Reason::Deactivated));
    assert_eq!(changed(|c| c.secret.good_until = NOW), Err(Reason::Rotated));
    assert_eq!(changed(|c| c.token.expires_at = NOW), Err(Reason::Expired));
    assert_eq!(changed(|c| c.policy.user.max_lifetime = NOW - 1000), Err(Reason::Expired));
    assert_eq!(changed(|c| c.token.idle_limit = NOW - 1000), Err(Reason::Idle));
    assert_eq!(changed(|c| c.policy.user.max_idle = NOW - 1000), Err(Reason::Idle));
    assert_eq!(changed(|c| c.token.not_before = NOW + 1), Err(Reason::NotYetValid));
    assert_eq!(changed(|c| c.account = None), Err(Reason::AccountDeleted));
    assert_eq!(changed(|c| c.token.owner_id = Uuid::nil()), Err(Reason::AccountDeleted));
    let tombstone = |c: &mut Case| c.account.as_mut().unwrap().tombstone = account().id;
    assert_eq!(changed(tombstone), Err(Reason::AccountDeleted));
    let inactive = |c: &mut Case| c.account.as_mut().unwrap().state = AccountState::Inactive;
    assert_eq!(changed(inactive), Err(Reason::AccountInactive));
    assert_eq!(changed(|c| c.org.id = Uuid::nil()), Err(Reason::OtherOrg));
    assert_eq!(changed(|c| c.org.state = OrgState::Suspended), Err(Reason::OrgSuspended));
    assert_eq!(changed(|c| c.token.kind = TokenKind::ClientSecret), Err(Reason::WrongKind));
    assert_eq!(changed(|c| c.token.kind = TokenKind::Api), Err(Reason::WrongKind));
    assert_eq!(changed(|c| c.token.reach = Reach::of(&[Surface::Verify])), Err(Reason::OutOfReach));
    let bound = |c: &mut Case| c.token.addresses = AddressRules::parse(["192.0.2.0/24"]).unwrap();
    assert_eq!(changed(bound), Err(Reason::AddressUnknown));
}

#[test]
fn times_are_exact_to_the_millisecond() {
    assert_eq!(changed(|c| c.token.expires_at = NOW + 1), Ok(()));
    assert_eq!(changed(|c| c.secret.good_until = NOW + 1), Ok(()));
    assert_eq!(changed(|c| c.token.not_before = NOW), Ok(()));
    assert_eq!(changed(|c| c.token.idle_limit = NOW - 999), Ok(()));
}

#[test]
fn a_use_keeps_an_idle_token_awake() {
    let used = |c: &mut Case| {
        c.token.idle_limit = 500;
        c.token.last_used_at = NOW - 499;
    };
    assert_eq!(changed(used), Ok(()));
}

#[test]
fn address_org_and_permission_are_asked_for() {
    let mut case = Case::new();
    case.token.addresses = AddressRules::parse(["192.0.2.0/24", "2001:db8::/32"]).unwrap();
    let from = |address: &str| Ask::on(Surface::Native, Some(address.parse().unwrap()));
    assert!(case.ask(&from("192.0.2.9")).is_ok());
    assert!(case.ask(&from("::ffff:192.0.2.9")).is_ok());
    assert!(case.ask(&from("2001:db8::1")).is_ok());
    assert_eq!(case.ask(&from("192.0.3.1")), Err(Reason::Address));
    let mut ask = from("192.0.2.9");
    ask.org = Some(Uuid::from_u128(99));
    assert_eq!(case.ask(&ask), Err(Reason::OtherOrg));
    ask.org = Some(org().id);
    ask.permission = Some("house:read");
    assert!(case.ask(&ask).is_ok());
    ask.permission = Some("house:ledger");
    assert_eq!(case.ask(&ask), Err(Reason::PermissionMissing));
    ask.kinds = Kinds::NONE.and(TokenKind::Service);
    assert_eq!(case.ask(&ask), Err(Reason::OtherKind));
    ask.kinds = ask.kinds.and(TokenKind::User);
    assert_eq!(case.ask(&ask), Err(Reason::PermissionMissing));
}

#[test]
fn a_dead_secret_learns_nothing_about_its_org() {
    let everything = |c: &mut Case| {
        c.secret.good_until = NOW;
        c.org.state = OrgState::Suspended;
        c.account = None;
    };
    assert_eq!(changed(everything), Err(Reason::Rotated));
}

fn derived() -> Derived {
    let permissions = PermissionSet::of(&[Permission::Read, Permission::Tokens]);
    Derived { issued_at: NOW, expires_at: NOW + 1, permissions, elsewhere: false }
}

fn of_access_token(change: impl FnOnce(&mut Case, &mut Derived)) -> Case {
    let (mut case, mut derived) = (Case::new(), derived());
    case.token.kind = TokenKind::Api;
    change(&mut case, &mut derived);
    Case { derived: Some(derived), ..case }
}

#[test]
fn an_access_token_is_good_as_long_as_both_it_and_what_it_came_from_are() {
    assert_eq!(of_access_token(|_, _| ()).verdict(), Ok(()));
    assert_eq!(of_access_token(|_, d| d.expires_at = NOW).verdict(), Err(Reason::Expired));
    assert_eq!(of_access_token(|_, d| d.issued_at = NOW + 60_000).verdict(), Ok(()));
    assert_eq!(of_access_token(|_, d| d.issued_at = NOW + 60_001).verdict(), Err(Reason::NotYetValid));
    assert_eq!(of_access_token(|c, _| c.token.state = TokenState::Inactive).verdict(), Err(Reason::Deactivated));
    assert_eq!(of_access_token(|c, _| c.secret.good_until = NOW).verdict(), Err(Reason::Rotated));
}

#[test]
fn an_access_token_may_what_it_says_and_its_account_still_may() {
    let ask = Ask::on(Surface::Native, None);
    assert_eq!(of_access_token(|_, _| ()).ask(&ask), Ok(PermissionSet::of(&[Permission::Read])));
    let nothing = of_access_token(|_, d| d.permissions = PermissionSet::of(&[Permission::Tokens]));
    assert_eq!(nothing.ask(&ask), Ok(PermissionSet::none()));
}

#[test]
fn an_access_token_for_another_service_is_good_for_that_service_to_ask_about() {
    let elsewhere = of_access_token(|_, d| d.elsewhere = true);
    assert_eq!(elsewhere.verdict(), Err(Reason::Audience));
    assert!(elsewhere.ask(&Ask::on(Surface::Verify, None)).is_ok());
}

#[test]
fn in_an_onboarded_org_access_tokens_and_nothing_else_reach_further() {
    let csp = Reach::of(&[Surface::Csp, Surface::Verify]);
    for surface in [Surface::Wavefront, Surface::Native] {
        let ask = Ask::on(surface, None);
        assert_eq!(of_access_token(|c, _| c.token.reach = csp).ask(&ask), Err(Reason::OutOfReach));
        let onboarded = of_access_token(|c, _| (c.token.reach, c.org.onboarded) = (csp, true));
        assert!(onboarded.ask(&ask).is_ok());
        let mut itself = Case::new();
        (itself.token.reach, itself.org.onboarded) = (csp, true);
        assert_eq!(itself.ask(&ask), Err(Reason::OutOfReach));
    }
    let splunk = of_access_token(|c, _| (c.token.reach, c.org.onboarded) = (csp, true));
    assert_eq!(splunk.ask(&Ask::on(Surface::Splunk, None)), Err(Reason::OutOfReach));
}

#[test]
fn what_a_service_account_s_token_gives_reaches_no_further_anywhere() {
    let wavefront = Reach::of(&[Surface::Wavefront, Surface::Verify]);
    let case = of_access_token(|c, _| {
        (c.token.kind, c.token.reach, c.org.onboarded) = (TokenKind::Service, wavefront, true);
    });
    assert!(case.ask(&Ask::on(Surface::Wavefront, None)).is_ok());
    assert_eq!(case.ask(&Ask::on(Surface::Native, None)), Err(Reason::OutOfReach));
}

#[test]
fn what_a_kind_can_be_presented_for() {
    let verdict = |kind, way, access: bool| {
        let mut case = Case::new();
        case.token.kind = kind;
        case.derived = access.then(derived);
        case.ask(&Ask { way, ..Ask::on(Surface::Native, None) }).map(|_| ())
    };
    let wrong = Err(Reason::WrongKind);
    assert_eq!(verdict(TokenKind::Api, Way::Bearer, false), wrong);
    assert_eq!(verdict(TokenKind::Api, Way::Bearer, true), Ok(()));
    assert_eq!(verdict(TokenKind::Api, Way::Exchange, false), Ok(()));
    assert_eq!(verdict(TokenKind::User, Way::Exchange, false), Ok(()));
    assert_eq!(verdict(TokenKind::User, Way::Exchange, true), wrong);
    assert_eq!(verdict(TokenKind::ClientSecret, Way::Exchange, false), wrong);
    assert_eq!(verdict(TokenKind::ClientSecret, Way::Bearer, false), wrong);
    assert_eq!(verdict(TokenKind::ClientSecret, Way::Client, false), Ok(()));
    assert_eq!(verdict(TokenKind::User, Way::Client, false), wrong);
}
