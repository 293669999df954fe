use super::*;

/// What is wrong with a file, one mistake a line, each with its line.
fn wrong(text: &str) -> String {
    let mistakes = parse(text).unwrap_err();
    let told = |mistake: &Mistake| format!("{}: {}", line(text, mistake.at), mistake.what);
    mistakes.iter().map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn rules_are_read_in_their_order() {
    let text = r#"
        [[rule]]
        methods = ["GET", "HEAD"]
        host = "API.example.com"
        path = "/orders/**"
        permission = "external/orders/read"
        kinds = ["user", "service"]

        [[rule]]
        path = "/"
    "#;
    let kinds = Kinds::NONE.and(TokenKind::User).and(TokenKind::Service);
    let first = Rule {
        methods: vec!["GET".to_owned(), "HEAD".to_owned()],
        host: Some("api.example.com".to_owned()),
        path: Pattern::parse("/orders/**").unwrap(),
        permission: Some("external/orders/read".to_owned()),
        kinds,
    };
    let second =
        Rule { methods: vec![], host: None, path: Pattern::parse("/").unwrap(), permission: None, kinds: Kinds::ANY };
    assert_eq!(parse(text).unwrap(), Rules::new(vec![first, second]));
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let said = wrong(
        "[[rule]]\npath = \"orders\"\n\n[[rule]]\npath = \"/a\"\nmethods = [\"GET\",\n  \"FETCH\"]\nkinds = [\"robot\"]\n\
         host = \"a:80\"\npermission = \"read\"\n",
    );
    let begins = [
        "2: path must begin with a slash",
        "7: methods must be some of GET HEAD",
        "8: kinds must be some of user",
        "9: host must be a host's name or address, without port",
        "10: permission must be a known permission",
    ];
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), begins.len(), "{said}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{said}");
    }
    for (text, begin) in [
        ("", "1: there is no [[rule]]"),
        ("# nothing\n", "1: there is no [[rule]]"),
        ("[[rule]]\npath = \"/\"\npermision = \"x\"\n", "3: unknown field `permision`"),
        ("[[rules]]\npath = \"/\"\n", "1: unknown field `rules`"),
        ("\n[[rule]]\nmethods = [\"GET\"]\n", "2: missing field `path`"),
        ("[[rule]]\npath = 3\n", "2: invalid type"),
        ("[[rule]]\npath = \"/\n", "2: "),
        ("[[rule]]\npath = \"/\"\nmethods = []\n", "3: methods names none"),
        ("[[rule]]\npath = \"/\"\nkinds = []\n", "3: kinds names none"),
        ("[[rule]]\npath = \"/\"\nkinds = [\"api\"]\n", "3: kinds must be some of"),
        ("[[rule]]\npath = \"/\"\nmethods = [\"get\"]\n", "3: methods must be some of"),
        ("[[rule]]\npath = \"/**/a\"\n", "2: path may have `**` at its end only"),
    ] {
        let said = wrong(text);
        assert!(said.starts_with(begin) && said.lines().count() == 1, "{text}: {said}");
    }
}

#[test]
fn a_rule_that_is_never_asked_is_a_mistake() {
    let twice = "[[rule]]\npath = \"/a\"\n[[rule]]\npath = \"/a\"\n";
    assert_eq!(wrong(twice), "3: never asked: the rule in line 1 is about all of its requests");
    let behind =
        "[[rule]]\npath = \"/a/**\"\n[[rule]]\npath = \"/b\"\n[[rule]]\nmethods = [\"PUT\"]\npath = \"/a/*/b\"\n";
    assert_eq!(wrong(behind), "5: never asked: the rule in line 1 is about all of its requests");
    assert!(parse("[[rule]]\nmethods = [\"GET\"]\npath = \"/a\"\n[[rule]]\npath = \"/a\"\n").is_ok());
}

#[test]
fn a_file_that_is_not_there_or_too_long_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.toml");
    let said = |faults: Vec<Fault>| faults.iter().map(ToString::to_string).collect::<String>();
    assert!(said(rules(&path).unwrap_err()).starts_with("gate.rules: "), "names the setting");
    std::fs::write(&path, vec![b'#'; 1 + (1 << 20)]).unwrap();
    assert!(said(rules(&path).unwrap_err()).contains("is longer than"), "is bounded");
    std::fs::write(&path, "[[rule]]\npath = \"/\"\n").unwrap();
    assert!(rules(&path).is_ok());
    let many = "[[rule]]\npath = \"/\"\n".repeat(1001);
    std::fs::write(&path, many).unwrap();
    assert!(said(rules(&path).unwrap_err()).contains("line 2001: there may be at most 1000 rules"));
}
