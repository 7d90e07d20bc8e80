//! Arguments to requests, answers to text.

use super::*;

fn rendered(data: &str) -> Result<String, PromqlFailure> {
    table::render(serde_json::from_str(data).unwrap())
}

fn args(line: &str) -> PromqlArgs {
    let words = ["barograph", "promql", "up"]
        .into_iter()
        .chain(line.split_whitespace());
    match crate::cli::parse(words.map(Into::into)) {
        Ok(crate::cli::Command::Promql(args)) => args,
        other => panic!("{line}: {other:?}"),
    }
}

fn sent(line: &str) -> Result<String, String> {
    let (path, parameters) = request(&args(line), 1_000_000_000).map_err(|error| error.to_string())?;
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    Ok(format!("{path}?{}", pairs.join("&")))
}

#[test]
fn arguments_become_a_request() {
    for (line, expected) in [
        ("", "/api/v1/query?query=up"),
        ("--time 1970-01-01T00:01:00Z", "/api/v1/query?query=up&time=60"),
        (
            "--start 10 --end 70 --step 15s",
            "/api/v1/query_range?query=up&start=10&end=70&step=15",
        ),
        (
            "--start 500000",
            "/api/v1/query_range?query=up&start=500000&end=1000000&step=2000",
        ),
        (
            "--start 999990",
            "/api/v1/query_range?query=up&start=999990&end=1000000&step=1",
        ),
    ] {
        assert_eq!(sent(line), Ok(expected.to_owned()), "{line}");
    }
    for (line, expected) in [
        ("--time yesterday", "--time \"yesterday\" is no instant"),
        ("--start 10 --end 5", "--end is before --start"),
        (
            "--start 10 --step 0",
            "--step \"0\" is not a duration longer than 0",
        ),
    ] {
        let message = sent(line).unwrap_err();
        assert!(message.starts_with(expected), "{line}: {message}");
    }
}

#[test]
fn answers_become_a_table() {
    let vector = r#"{"resultType":"vector","result":[
        {"metric":{"__name__":"up","job":"a"},"value":[1767225600,"1"]},
        {"metric":{},"histogram":[1767225600.5,{"count":"1","sum":"2"}]}]}"#;
    let expected = "\
series       time                      value
───────────  ────────────────────────  ───────────────────────
up{job=\"a\"}  2026-01-01T00:00:00Z      1
{}           2026-01-01T00:00:00.500Z  {\"count\":\"1\",\"sum\":\"2\"}
(2 samples)";
    assert_eq!(rendered(vector).unwrap(), expected);
    assert_eq!(
        rendered(r#"{"resultType":"scalar","result":[1,"2.5"]}"#).unwrap(),
        "2.5"
    );
    let matrix = r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"NaN"]]}]}"#;
    assert!(rendered(matrix).unwrap().ends_with("(2 samples)"));
    assert!(rendered("[]").is_err());
}
