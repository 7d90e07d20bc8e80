//! Cases as data: a text, and what comes out of it.

mod random;
mod same;

use super::*;

/// The cases of a file: blocks apart by empty lines, in each a text and, indented by four spaces, the answer. A line
/// that begins with `//` is a remark.
fn cases(file: &str) -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for block in file.split("\n\n") {
        let lines = block.lines().filter(|line| !line.starts_with("//"));
        let (answer, text): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("    "));
        let answer: Vec<&str> = answer.iter().map(|line| &line[4..]).collect();
        if !text.is_empty() {
            cases.push((text.join("\n"), answer.join("\n")));
        }
    }
    cases
}

/// Asks for the answer to each case of a file, and shows all that differ.
fn check(file: &str, answer: impl Fn(&str) -> String) -> usize {
    let cases = cases(file);
    let differ: Vec<String> = cases
        .iter()
        .filter_map(|(text, want)| {
            let got = answer(text);
            (got != *want).then(|| format!("{text}\n  want {want}\n   got {got}"))
        })
        .collect();
    assert!(
        differ.is_empty(),
        "{} differ:\n{}",
        differ.len(),
        differ.join("\n")
    );
    cases.len()
}

fn read(text: &str) -> Result<Expr, ParseError> {
    parse(text, &ParseOptions::experimental())
}

fn shown(result: Result<String, ParseError>) -> String {
    result.unwrap_or_else(|error| error.to_string())
}

#[test]
fn wrong_texts_are_refused_in_the_words_of_prometheus() {
    let options = ParseOptions::default();
    let count = check(include_str!("tests/wrong.txt"), |text| {
        shown(parse(text, &options).map(|expr| expr.to_string()))
    });
    assert!(count > 300, "{count} cases");
}

#[test]
fn experimental_syntax_has_errors_of_its_own() {
    check(include_str!("tests/wrong_experimental.txt"), |text| {
        shown(read(text).map(|expr| expr.to_string()))
    });
}

#[test]
fn right_texts_have_one_canonical_text() {
    let file = include_str!("tests/right.txt");
    check(file, |text| shown(read(text).map(|expr| expr.to_string())));
    // Reading that gives the same tree again.
    for (text, canonical) in cases(file) {
        same::assert_same(&read(&text).unwrap(), &read(&canonical).unwrap());
    }
}

#[test]
fn long_texts_are_split() {
    let file = include_str!("tests/pretty.txt");
    check(file, |text| shown(read(text).map(|expr| prettify(&expr))));
    for (text, pretty) in cases(file) {
        same::assert_same(&read(&text).unwrap(), &read(&pretty).unwrap());
    }
}

#[test]
fn trees_are_shown_as_json() {
    check(include_str!("tests/json.txt"), |text| {
        shown(read(text).map(|expr| expr.to_json().to_string()))
    });
}

#[test]
fn types_are_known() {
    for (text, want) in [
        ("1 + 2", ValueType::Scalar),
        ("-(1)", ValueType::Scalar),
        ("time() * 2", ValueType::Scalar),
        ("1 + x", ValueType::Vector),
        ("sum(x)", ValueType::Vector),
        ("x[5m]", ValueType::Matrix),
        ("(x[5m:])", ValueType::Matrix),
        ("'a'", ValueType::String),
    ] {
        assert_eq!(read(text).unwrap().value_type(), want, "{text}");
    }
}

/// No function without a case.
#[test]
fn every_function_and_operator_has_a_case() {
    let cases = cases(include_str!("tests/right.txt"));
    let has = |part: &str| cases.iter().any(|(text, _)| text.contains(part));
    for function in functions::all() {
        assert!(has(&format!("{}(", function.name)), "{}", function.name);
    }
    for op in AggregateOp::ALL {
        assert!(has(&format!("{}(", op.as_str())), "{op:?}");
    }
}

#[test]
fn nodes_know_where_they_stand() {
    let text = "sum by (a) (rate(x{b='c'}[5m] offset 1h)) / -(y @ 5)";
    let expr = read(text).unwrap();
    let at = |span: SourceSpan| &text[span.start as usize..span.end as usize];
    assert_eq!(at(expr.span), text);
    let ExprKind::Binary(binary) = &expr.kind else {
        panic!("{expr:?}")
    };
    assert_eq!(at(binary.lhs.span), "sum by (a) (rate(x{b='c'}[5m] offset 1h))");
    assert_eq!(at(binary.rhs.span), "-(y @ 5)");
    let ExprKind::Aggregate(sum) = &binary.lhs.kind else {
        panic!("{expr:?}")
    };
    let ExprKind::Call(rate) = &sum.expr.kind else {
        panic!("{expr:?}")
    };
    assert_eq!(at(rate.args[0].span), "x{b='c'}[5m] offset 1h");
    let ExprKind::Matrix(matrix) = &rate.args[0].kind else {
        panic!("{expr:?}")
    };
    assert_eq!(at(matrix.vector_span), "x{b='c'}");
    let error = read("x + é").unwrap_err();
    assert_eq!(
        (error.span().start, error.message()),
        (4, "unexpected character: 'é'")
    );
}

#[test]
fn places_are_lines_and_columns() {
    let error = |text| read(text).unwrap_err().to_string();
    assert_eq!(
        error(""),
        "unknown position: parse error: no expression found in input"
    );
    assert_eq!(error(" "), "1:1: parse error: no expression found in input");
    assert_eq!(error("# c\n\n"), "1:1: parse error: no expression found in input");
    assert_eq!(
        error("a +\n\nb c"),
        "3:3: parse error: unexpected identifier \"c\""
    );
    assert_eq!(
        error("\n\n  x{a=}"),
        "3:7: parse error: unexpected \"}\" in label matching, expected string"
    );
    assert_eq!(
        error("\u{a0}x"),
        "1:1: parse error: unexpected character: '\\u00a0'"
    );
    assert_eq!(error("x\0"), "1:2: parse error: unexpected character: '\\x00'");
    let digits = "9".repeat(309);
    assert_eq!(
        error(&digits),
        format!(
            "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"{digits}\": value out of range"
        )
    );
}

#[test]
fn selectors_stand_alone() {
    let shown = |text: &str| match parse_selector(text) {
        Ok(matchers) => matchers
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(","),
        Err(error) => error.to_string(),
    };
    assert_eq!(shown("up{job=~'a.*'}"), r#"job=~"a.*",__name__="up""#);
    assert_eq!(shown("{}"), "");
    assert_eq!(shown("{'odd.name'}"), r#"__name__="odd.name""#);
    assert_eq!(shown("sum"), r#"__name__="sum""#);
    assert_eq!(shown("up[5m]"), "1:3: parse error: unexpected \"[\"");
    assert_eq!(shown("up offset 5m"), "1:4: parse error: unexpected <offset>");
    assert_eq!(shown("rate(up)"), "1:5: parse error: unexpected \"(\"");
    assert_eq!(shown("1"), "1:1: parse error: unexpected number \"1\"");
    assert_eq!(shown("("), "1:1: parse error: unexpected \"(\"");
    assert_eq!(
        shown(""),
        "unknown position: parse error: unexpected end of input"
    );
}

#[test]
fn durations_are_those_of_the_api() {
    let shown = |text: &str| match parse_duration(text) {
        Ok(ms) => ms.to_string(),
        Err(error) => error.to_string(),
    };
    for (text, want) in [
        ("0", "0"),
        ("0s", "0"),
        ("1h30m", "5400000"),
        ("250ms", "250"),
        ("292y", "9208512000000"),
        ("", "empty duration string"),
        ("5", "not a valid duration string: \"5\""),
        ("m", "not a valid duration string: \"m\""),
        ("1m1h", "not a valid duration string: \"1m1h\""),
        ("-5m", "not a valid duration string: \"-5m\""),
        ("5q", "unknown unit \"q\" in duration \"5q\""),
        ("300y", "duration out of range"),
        (
            "99999999999999999999s",
            "not a valid duration string: \"99999999999999999999s\"",
        ),
    ] {
        assert_eq!(shown(text), want, "{text:?}");
    }
}

/// Texts that would take the stack of a thread, were they read as deep as they go.
#[test]
fn depth_and_length_are_limited() {
    let too_deep = "expression is nested deeper than the limit of 256";
    let operators = "1 or 1 and 1 == bool 1 + 1 * 1 ^ -(";
    let signs = [("x[", "-"), ("x[", "("), ("x[1", "^1")];
    let units = ["(", "-", "-(", "1^", "a + ", "sum(", "abs(", operators];
    for (start, unit) in units.map(|unit| ("", unit)).into_iter().chain(signs) {
        for count in [257, 10_000] {
            let text = format!("{start}{} 1", unit.repeat(count));
            let error = read(&text).unwrap_err();
            assert_eq!(error.message(), too_deep, "{unit:?} {count}: {error}");
        }
    }
    for (open, close) in [
        ("(", ")"),
        ("-", ""),
        ("abs(", ")"),
        ("sum by (a) (", ")"),
        ("1^", ""),
        ("a+", ""),
    ] {
        let text = |count: usize| format!("{}a{}", open.repeat(count), close.repeat(count));
        let expr = read(&text(255)).unwrap();
        assert_eq!(read(&expr.to_string()).unwrap().to_string(), expr.to_string());
        same::assert_same(&expr, &read(&prettify(&expr)).unwrap());
        assert!(expr.to_json().is_object());
        assert_eq!(read(&text(256)).unwrap_err().message(), too_deep, "{open}");
    }
    let length = read(&"x".repeat((1 << 20) + 1)).unwrap_err();
    assert_eq!(
        length.message(),
        "expression of 1048577 bytes is longer than the limit of 1048576"
    );
    assert!(read(&format!("{{a=\"{}\"}}", "x".repeat(1 << 19))).is_ok());
    let regexes = |count| read(&format!("x{{{}}}", "a=~'b.',".repeat(count)));
    assert!(regexes(200).is_ok());
    assert_eq!(
        regexes(201).unwrap_err().message(),
        "expression has more than 200 regular expressions"
    );
}
