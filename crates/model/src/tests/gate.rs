use crate::Kinds;
use crate::gate::{Described, Path, Pattern, Rule, Rules, host, method};

fn segments(target: &str) -> Vec<String> {
    Path::read(target.as_bytes()).unwrap().segments().map(str::to_owned).collect()
}

#[test]
fn a_path_is_decoded_once_and_its_query_does_not_matter() {
    assert_eq!(segments("/"), Vec::<String>::new());
    assert_eq!(segments("/?a=/../b"), Vec::<String>::new());
    assert_eq!(segments("/a"), ["a"]);
    assert_eq!(segments("/a/"), ["a"]);
    assert_eq!(segments("/%61dmin/x%20y/%C3%A9"), ["admin", "x y", "é"]);
    assert_eq!(segments("/a.b/...c/100%25"), ["a.b", "...c", "100%"]);
}

#[test]
fn what_others_may_read_differently_is_no_path() {
    let unclear: &[&[u8]] = &[
        b"",
        b"*",
        b"a",
        b"http://x/a",
        b"?a",
        b"//",
        b"//a",
        b"/a//b",
        b"/a//",
        b"/.",
        b"/..",
        b"/a/../b",
        b"/a/./b",
        b"/a/..",
        b"/%2e%2e/a",
        b"/a%2fb",
        b"/a%2Fb",
        b"/a%5cb",
        b"/a\\b",
        b"/a;b",
        b"/a%3Bb",
        b"/a%00",
        b"/a%0a",
        b"/a%7F",
        b"/a%",
        b"/a%4",
        b"/a%zz",
        b"/a%-1",
        b"/a%ff",
        b"/%c0%ae",
        b"/a%252fb",
        b"/a%2541",
        b"/a b",
        b"/a\tb",
        b"/\xc3\xa9",
        b"/a#b",
        b"/a%23b",
        b"/a%3Fb",
        b"/a%C2%85",
    ];
    for target in unclear {
        assert!(Path::read(target).is_err(), "{}", target.escape_ascii());
    }
    let mut long = vec![b'a'; 8192];
    long[0] = b'/';
    assert!(Path::read(&long).is_ok());
    long.push(b'a');
    assert!(Path::read(&long).is_err());
}

#[test]
fn patterns_fit_whole_paths() {
    let fits =
        |pattern: &str, target: &str| Pattern::parse(pattern).unwrap().fits(&Path::read(target.as_bytes()).unwrap());
    for (pattern, good, bad) in [
        ("/", &["/", "/?x"][..], &["/a"][..]),
        ("/**", &["/", "/a", "/a/b"], &[]),
        ("/a", &["/a", "/a/", "/%61"], &["/", "/a/b", "/ab", "/A"]),
        ("/a/*", &["/a/b", "/a/b/", "/a/*"], &["/a", "/a/", "/a/b/c", "/b/a"]),
        ("/a/**", &["/a", "/a/", "/a/b", "/a/b/c"], &["/", "/b", "/ab"]),
        ("/*/b/**", &["/a/b", "/x/b/c/d"], &["/b", "/a", "/a/c"]),
        ("/x y/é", &["/x%20y/%c3%a9"], &["/x+y/%c3%a9"]),
    ] {
        good.iter().for_each(|target| assert!(fits(pattern, target), "{pattern} {target}"));
        bad.iter().for_each(|target| assert!(!fits(pattern, target), "{pattern} {target}"));
    }
    for wrong in
        ["", "a", "//", "/a/", "/a//b", "/**/a", "/a*", "/***", "/a%20b", "/a?b", "/..", "/a;b", "/a\\b", "/a#"]
    {
        assert!(Pattern::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_pattern_covers_what_it_fits_and_nothing_else() {
    let covers = |one: &str, other: &str| Pattern::parse(one).unwrap().covers(&Pattern::parse(other).unwrap());
    for (one, other) in
        [("/**", "/"), ("/**", "/a/**"), ("/a/**", "/a"), ("/a/**", "/a/*/b"), ("/*", "/a"), ("/a", "/a")]
    {
        assert!(covers(one, other), "{one} {other}");
    }
    for (one, other) in
        [("/", "/a"), ("/a/*", "/a/**"), ("/a", "/*"), ("/a/b/**", "/a/**"), ("/*/b", "/a/c"), ("/a/b", "/a")]
    {
        assert!(!covers(one, other), "{one} {other}");
    }
}

fn rule(methods: &[&str], host: Option<&str>, path: &str) -> Rule {
    Rule {
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        host: host.map(str::to_owned),
        path: Pattern::parse(path).unwrap(),
        permission: None,
        kinds: Kinds::ANY,
    }
}

#[test]
fn the_first_rule_about_a_request_is_its_rule() {
    let rules = Rules::new(vec![
        rule(&["GET", "HEAD"], None, "/orders/**"),
        rule(&[], Some("api.example.com"), "/orders/*"),
        rule(&["POST"], None, "/"),
    ]);
    assert!(rules.ask_host());
    let asked = |method: &'static str, host: Option<&'static str>, target: &'static str| {
        let request = Described { method, host, path: Path::read(target.as_bytes()).unwrap() };
        rules.of(&request).map(|found| {
            if found.host.is_some() {
                2
            } else if found.methods.len() == 2 {
                1
            } else {
                3
            }
        })
    };
    assert_eq!(asked("GET", None, "/orders/1"), Some(1));
    assert_eq!(asked("POST", Some("API.example.COM"), "/orders/1"), Some(2));
    assert_eq!(asked("POST", Some("api.example.org"), "/orders/1"), None);
    assert_eq!(asked("POST", None, "/orders/1"), None);
    assert_eq!(asked("POST", None, "/"), Some(3));
    assert_eq!(asked("GET", None, "/"), None);
}

#[test]
fn a_rule_covers_fewer_methods_hosts_and_paths() {
    let any = rule(&[], None, "/a/**");
    let some = rule(&["GET"], Some("x"), "/a/b");
    assert!(any.covers(&some) && any.covers(&any) && some.covers(&some) && !some.covers(&any));
    assert!(rule(&["GET", "PUT"], None, "/a").covers(&rule(&["PUT"], None, "/a")));
    assert!(!rule(&["GET"], None, "/a").covers(&rule(&[], None, "/a")));
    assert!(!rule(&[], Some("x"), "/a").covers(&rule(&[], None, "/a")));
}

#[test]
fn hosts_lose_port_and_dot_and_methods_are_capitals() {
    for (given, read) in
        [("x", "x"), ("a.B-c_d:8080", "a.B-c_d"), ("x.", "x"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("x:", "x")]
    {
        assert_eq!(host(given.as_bytes()), Ok(read), "{given}");
    }
    for wrong in ["", ".", ":80", "a,b", "a b", "a/b", "u@h", "x:8a", "[::1", "::1", "é", "[::1]x"] {
        assert!(host(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert_eq!(method(b"GET"), Ok("GET"));
    assert_eq!(method(b"M-SEARCH"), Ok("M-SEARCH"));
    for wrong in [&b""[..], b"get", b"Get", b"GET ", b"GET,PUT", b"\xff", &[b'A'; 33]] {
        assert!(method(wrong).is_err());
    }
}

#[test]
fn a_set_of_kinds_holds_what_was_put_into_it() {
    use crate::TokenKind;
    let two = Kinds::NONE.and(TokenKind::User).and(TokenKind::Org);
    assert!(two.has(TokenKind::User) && two.has(TokenKind::Org) && !two.has(TokenKind::Session));
    assert!(TokenKind::ALL.iter().all(|kind| Kinds::ANY.has(*kind) && !Kinds::NONE.has(*kind)));
    assert!(Kinds::ANY.covers(two) && !two.covers(Kinds::ANY) && two.covers(Kinds::NONE));
}

#[test]
fn the_end_clients_address_is_what_a_trusted_gateway_says_and_nothing_else() {
    use crate::address::{AddressRules, of_end_client};
    let trusted = AddressRules::parse(["10.0.0.0/8"]).unwrap();
    let asked = |peer: &str, headers: &[&str], trusted: &AddressRules| {
        of_end_client(peer.parse().unwrap(), headers.iter().copied(), trusted).map(|address| address.to_string())
    };
    let said = |address: &str| Some(address.to_owned());
    assert_eq!(asked("10.0.0.1", &["192.0.2.7"], &trusted), said("192.0.2.7"));
    assert_eq!(asked("10.0.0.1", &["198.51.100.1", "192.0.2.7, 10.0.0.2"], &trusted), said("192.0.2.7"));
    assert_eq!(asked("10.0.0.1", &["10.0.0.9"], &trusted), said("10.0.0.9"));
    assert_eq!(asked("10.0.0.1", &[], &trusted), None);
    assert_eq!(asked("10.0.0.1", &[""], &trusted), None);
    assert_eq!(asked("10.0.0.1", &["192.0.2.7, unknown"], &trusted), None);
    assert_eq!(asked("192.0.2.9", &["192.0.2.7"], &trusted), None);
    assert_eq!(asked("10.0.0.1", &["192.0.2.7"], &AddressRules::default()), None);
}
