//! Facts about snippets: nginx's syntax, what directives come to, and what is refused where.

use std::time::{Duration, Instant};

use headgate_config::snippet::{
    Condition, Expires, HeaderAction, InputAction, OwnMatch, PathRewrite, Piece, Reply, Step, Text,
    Then,
};
use proptest::prelude::*;

use super::*;
use crate::options::PatternCheck;

fn read(text: &str) -> Block {
    compile(text, Context::Location, None).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

fn refusal(context: Context, text: &str) -> String {
    compile(text, context, None).expect_err(text).to_string()
}

fn set(text: &str) -> Vec<(String, Text)> {
    let rules = read(text).level.answer.into_iter();
    rules
        .map(|rule| match rule.action {
            HeaderAction::Set { name, value } => (name, value),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn plain(pairs: &[(&str, &str)]) -> Vec<(String, Text)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Text::plain(*value))).collect()
}

#[test]
fn quotes_comments_and_escapes_are_nginxs() {
    let text = "# a ; comment {\n\nmore_set_headers \"A: a;b\"; # behind\nmore_set_headers 'B: say \"hi\"';\r\n\
                more_set_headers C:\\\\d 'D: \\'e\\'' E:#f;more_set_headers \"F: {g}\";";
    let expected =
        [("A", "a;b"), ("B", "say \"hi\""), ("C", "\\d"), ("D", "'e'"), ("E", "#f"), ("F", "{g}")];
    assert_eq!(set(text), plain(&expected));
}

#[test]
fn texts_are_taken_apart_into_variables_and_captures() {
    let text = &set("more_set_headers 'A: x${Host}y$http_a-$12';")[0].1;
    let variable = |name: &str| Piece::Variable(name.into());
    let plain = |text: &str| Piece::Plain(text.into());
    let expected = [
        plain("x"),
        variable("host"),
        plain("y"),
        variable("http_a"),
        plain("-"),
        Piece::Capture(1),
        plain("2"),
    ];
    assert_eq!(text.pieces, expected);
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    use Context::{Http, Location, Server};
    for (context, text, expected) in [
        (Location, "a", "line 1, column 1: directive \"a\" does not end"),
        (
            Location,
            "\n  proxy_pass http://x;",
            "line 2, column 3: directive \"proxy_pass\" repeats",
        ),
        (Location, "content_by_lua 'x';", "directive \"content_by_lua\" is not supported"),
        (Location, "} location /x {", "line 1, column 1: a closing brace without an opening one"),
        (Location, "return 418", "directive \"return\" does not end"),
        (Location, "if ($a) { return 1", "does not end"),
        (Location, "if ($arg_a) { return 403;", "a closing brace is missing"),
        (Location, "more_set_headers 'A: b", "column 18: the quote ' does not end"),
        (Location, "more_set_headers 'A: b'c;", "column 24: 'c' right behind a quote"),
        (Location, ";", "\";\" without a directive"),
        (Location, "client_max_body_size 5;", "use the annotation proxy-body-size"),
        (Location, "proxy_read_timeout 5s;", "use the annotation proxy-read-timeout"),
        (Location, "location /x { deny all; }", "is not allowed in a location"),
        (Location, "if (-f $request_filename) { return 403; }", "asks for files by -f"),
        (Location, "if (!-e $uri) { return 403; }", "asks for files by !-e"),
        (Location, "if ($arg_a == b) { return 403; }", "has no comparison \"==\""),
        (Location, "if $arg_a { return 403; }", "needs a condition in parentheses"),
        (Location, "if ($arg_a) { deny all; }", "\"deny\" is not allowed in an if of a location"),
        (Location, "if ($arg_a) { if ($arg_b) { return 403; } }", "\"if\" is not allowed"),
        (Server, "if ($arg_a) { add_header A b; }", "is not allowed in an if of a server block"),
        (Http, "return 403;", "is not allowed in the http block"),
        (Server, "location / { deny all; }", "every host has a location for already"),
        (Server, "location @x { deny all; }", "has the path \"@x\""),
        (Location, "set $host x;", "cannot give $host another value"),
        (Location, "set host x;", "is no name of a variable"),
        (Location, "add_header A $;", "has a $ without the name of a variable"),
        (Location, "add_header A ${b;", "has a $ without"),
        (Location, "add_header A b sometimes;", "where only always may be"),
        (Location, "add_header A;", "wrong number of words (1)"),
        (Location, "more_set_headers -x 'A: b';", "has no option \"-x\""),
        (Location, "more_set_headers -s 404;", "names no header"),
        (Location, "more_set_headers 'Transfer-Encoding: chunked';", "frames the message"),
        (Location, "proxy_set_header Transfer_Encoding chunked;", "frames the message"),
        (Location, "more_set_input_headers 'Content_Length: 0';", "frames the message"),
        (Location, "proxy_set_header Expect 100-continue;", "frames the message"),
        (Location, "proxy_set_header PROXY evil:1;", "takes for its own setting"),
        (Location, "more_set_input_headers 'X_Real_IP: 1';", "which the gateway writes itself"),
        (Location, "more_set_headers \"A: b\nSet-Cookie: c\";", "with a line break"),
        (Location, "more_clear_headers *;", "needs the beginning of a name"),
        (Location, "more_set_input_headers 'X-Real-IP: 1';", "which the gateway writes itself"),
        (Location, "proxy_set_header Host x;", "upstream-vhost"),
        (Location, "return 42;", "is no status of an answer"),
        (Location, "return hello;", "which is no status"),
        (Location, "rewrite ^ /x first;", "has no flag \"first\""),
        (Location, "allow localhost;", "is no address or network"),
        (Location, "expires soon;", "is no time"),
        (Location, "expires off; expires off;", "column 14: directive \"expires\" is given twice"),
        (Location, "gzip yes;", "is neither on nor off"),
        (Location, "sub_filter '' x;", "looks for a text that is empty"),
        (Location, "proxy_ssl_verify on;", "proxy-ssl-secret"),
        (Location, "allow 10.0.0.1 10.0.0.2;", "wrong number of words"),
        (Location, "return { }", "takes no block"),
        (Location, "if ($arg_a);", "needs a block"),
    ] {
        let message = refusal(context, text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn a_pattern_that_cannot_be_served_is_refused() {
    fn alias(text: &str) -> Result<(), String> {
        if text.contains("(?R)") { Err("recursion at byte 0".into()) } else { Ok(()) }
    }
    let (path, blocked) = (|_: &str| Ok(()), |_: &str| Ok(()));
    let check = PatternCheck { path, alias, blocked, header: blocked, rewrite: |_| Ok(()) };
    for text in
        ["rewrite (?R) /;", "if ($arg_a ~ (?R)) { return 403; }", "location ~ (?R) { deny all; }"]
    {
        let problem = compile(text, Context::Server, Some(check)).unwrap_err().to_string();
        assert!(problem.contains("recursion at byte 0"), "{problem}");
    }
    assert!(compile("rewrite ^ /;", Context::Server, Some(check)).is_ok());
}

#[test]
fn unknown_variables_are_refused_unless_a_snippet_sets_them() {
    let block = read("add_header A $host;\nadd_header B $color;");
    let problem = check_variables(&block, &BTreeSet::new()).unwrap_err().to_string();
    assert!(problem.starts_with("line 2, column 14: directive \"add_header\""), "{problem}");
    assert!(problem.contains("$color"), "{problem}");
    assert_eq!(check_variables(&block, &["color".to_owned()].into()), Ok(()));
    let own = read("set $Color blue; if ($http_a ~ (?<shade>d.*)) { return 200 $shade; }");
    assert_eq!(own.sets, ["color".to_owned(), "shade".to_owned()].into());
}

#[test]
fn steps_keep_their_order() {
    let text = "set $c blue; if ($request_method != GET) { return 405; break; }\n\
                rewrite ^/a/(.*)$ /b/$1?x=$arg_y&z last; rewrite ^ https://n.test$uri? permanent; rewrite ^ /c;";
    let steps = read(text).steps;
    let variable = |name: &str| Text { pieces: vec![Piece::Variable(name.into())] };
    assert_eq!(steps[0], Step::Set { variable: "c".into(), value: Text::plain("blue") });
    let condition = Condition::Equal {
        left: variable("request_method"),
        right: Text::plain("GET"),
        negated: true,
    };
    let inner = vec![Step::Return(Reply { status: 405, text: None }), Step::Break];
    assert_eq!(steps[1], Step::If { condition, steps: inner, policy: Some(0) });
    let Step::Rewrite(PathRewrite { path, query, keeps_query, then, .. }) = &steps[2] else {
        panic!("{steps:?}")
    };
    let path_pieces = [Piece::Plain("/b/".into()), Piece::Capture(1)];
    let plain = |text: &str| Piece::Plain(text.into());
    let query_pieces = [plain("x="), Piece::Variable("arg_y".into()), plain("&z")];
    assert_eq!((&path.pieces[..], *keeps_query, *then), (&path_pieces[..], true, Then::Search));
    assert_eq!(query.as_ref().unwrap().pieces, query_pieces);
    let thens = steps[2..].iter().map(|step| match step {
        Step::Rewrite(rewrite) => (rewrite.then, rewrite.keeps_query),
        other => panic!("{other:?}"),
    });
    let expected = [(Then::Search, true), (Then::Redirect(301), false), (Then::Next, true)];
    assert_eq!(thens.collect::<Vec<_>>(), expected);
}

#[test]
fn conditions_are_read_with_and_without_blanks() {
    for text in [
        "if ($http_user_agent ~* \"(curl|wget)\") { return 403; }",
        "if ( $http_user_agent ~* (curl|wget) ){ return 403; }",
        "if ($http_user_agent ~* '(curl|wget)' ){ return 403; }",
        "if ($http_user_agent ~* (curl|wget)) { return 403; }",
    ] {
        let Step::If { condition, .. } = &read(text).steps[0] else { panic!() };
        let Condition::Found { regex, fold, negated, .. } = condition else { panic!("{text}") };
        assert_eq!((&**regex, *fold, *negated), ("(curl|wget)", true, false), "{text}");
    }
}

#[test]
fn headers_of_requests_and_answers_are_typed() {
    let block = read(
        "more_set_headers -s '404 500' -t 'text/HTML a/b' 'X: $status' 'Y:';more_clear_headers 'X-Hidden-*' Z;\n\
         more_set_input_headers -r 'A: b'; more_clear_input_headers B C;\n\
         proxy_set_header D ''; proxy_set_header Upgrade $http_upgrade; proxy_hide_header E;",
    );
    let rule = &block.level.answer[0];
    assert_eq!(
        (&*rule.statuses, &*rule.types),
        (&[404, 500][..], &["text/html".into(), "a/b".into()][..])
    );
    assert_eq!(block.level.answer[1].action, HeaderAction::Clear("y".into()));
    assert_eq!(block.level.answer[2].action, HeaderAction::ClearPrefix("x-hidden-".into()));
    assert_eq!(block.level.answer[3].action, HeaderAction::Clear("z".into()));
    let InputAction::Set { only_if_there, .. } = block.level.input[0].action else { panic!() };
    assert!(only_if_there);
    assert_eq!(block.level.input[2].action, InputAction::Clear("c".into()));
    assert_eq!((block.level.sent.len(), &*block.level.hidden), (1, &["e".to_owned()][..]));
    assert!(block.notes[0].contains("Upgrade has no effect"), "{:?}", block.notes);
}

#[test]
fn times_of_expires() {
    for (text, expected) in [
        ("off", Expires::Off),
        ("epoch", Expires::Epoch),
        ("max", Expires::Max),
        ("1h", Expires::After(3600)),
        ("-1", Expires::After(-1)),
        ("+30d", Expires::After(2_592_000)),
        ("@15h30m", Expires::Daily(55_800)),
        ("modified 2h", Expires::AfterModified(7200)),
    ] {
        assert_eq!(read(&format!("expires {text};")).level.expires, Some(expected), "{text}");
    }
}

#[test]
fn locations_of_a_server_snippet() {
    let text = "location = /a { return 200 ok; } location ^~ /b { deny all; } location ~* \\.php$ { return 404; }\n\
                location /c { add_header A b; }";
    let block = compile(text, Context::Server, None).unwrap();
    let matchers: Vec<_> = block.locations.into_iter().map(|own| own.matcher).collect();
    let prefix = |text: &str, is_final| OwnMatch::Prefix { text: text.into(), is_final };
    let regex = OwnMatch::Pattern { regex: "\\.php$".into(), fold: true };
    assert_eq!(
        matchers,
        [OwnMatch::Exact("/a".into()), prefix("/b", true), regex, prefix("/c", false)]
    );
}

#[test]
fn what_has_no_effect_is_said() {
    let block = compile("proxy_read_timeout 5s;", Context::Server, None).unwrap();
    assert_eq!(block.notes.len(), 1);
    assert!(
        refusal(Context::Server, "proxy_read_timeout soon;").contains("has a value that is none")
    );
}

#[test]
fn deep_and_long_snippets_end_in_time() {
    let began = Instant::now();
    assert!(refusal(Context::Server, &"if ($a) {".repeat(100_000)).contains("too many blocks"));
    assert!(refusal(Context::Server, &"a ".repeat(100_000)).contains("too many words"));
    let long = "more_set_headers 'A: $host';\n".repeat(20_000);
    assert_eq!(read(&long).level.answer.len(), 20_000);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(
        text in r#"((more_set_headers|if|set|rewrite|return|location|add_header|expires) |[ \n;{}"'\\$(~!=*)#a-z0-9/é-]){0,60}"#,
    ) {
        try_all(&text);
    }
}
