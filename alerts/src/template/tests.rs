use barograph_model::Labels;
use proptest::prelude::*;

use super::Template;

fn render(source: &str, value: f64) -> String {
    let labels =
        Labels::from_pairs([("instance", "db1:9100"), ("job", "node exporter"), ("n", "1536")]).unwrap();
    Template::parse(source)
        .unwrap_or_else(|error| panic!("{source}: {error}"))
        .render(&labels, value)
}

#[test]
fn fills_in() {
    for (source, value, expected) in [
        ("plain } text {", 1.0, "plain } text {"),
        ("{{ $labels.instance }} at {{$value}}", 0.5, "db1:9100 at 0.5"),
        ("{{ .Labels.job }}={{ .Value }}", 3.0, "node exporter=3"),
        ("{{ $labels.absent }}|", 3.0, "|"),
        ("a {{- $value -}} b", 3.0, "a3b"),
        ("a {{- \" x \" -}} b", 3.0, "a x b"),
        ("{{ $value | humanize }}", 1_234_567.0, "1.235M"),
        ("{{ humanize $value }}", 0.0012, "1.2m"),
        ("{{ humanize 0 }}", 1.0, "0"),
        ("{{ humanize1024 $value }}", 1_048_576.0, "1Mi"),
        ("{{ $labels.n | humanize1024 }}B", 0.0, "1.5kiB"),
        ("{{ $labels.job | humanize }}", 0.0, "node exporter"),
        ("{{ $value | humanizePercentage }}", 0.125, "12.5%"),
        ("{{ humanizeDuration 3725 }}", 0.0, "1h 2m 5s"),
        ("{{ humanizeDuration $value }}", 0.0015, "1.5ms"),
        ("{{ humanizeDuration $value }}", -90_061.0, "-1d 1h 1m 1s"),
        ("{{ humanizeDuration $value }}", 12.345678, "12.35s"),
        ("{{ printf \"%.2f\" $value }}", 1.0 / 3.0, "0.33"),
        ("{{ $value | printf \"%6.1f%%|\" }}", 12.25, "  12.2%|"),
        (
            "{{ printf \"%-8s|%5d|%05d\" $labels.n 42 -7 }}",
            0.0,
            "1536    |   42|-0007",
        ),
        (
            "{{ printf \"%q %v %e %g %+d\" $labels.job $value $value $value 3 }}",
            1500.0,
            "\"node exporter\" 1500 1.500000e+03 1500 +3",
        ),
        ("{{ printf `%s` $labels.job | toUpper }}", 0.0, "NODE EXPORTER"),
        ("{{ title (toLower $labels.job) }}", 0.0, "Node Exporter"),
        ("{{ stripPort $labels.instance }}", 0.0, "db1"),
        ("{{ \"a}}b\" }}", 0.0, "a}}b"),
        ("{{ $value }}", f64::NAN, "NaN"),
        ("{{ $value }}", f64::INFINITY, "+Inf"),
        ("{{ $value | humanize }}", f64::NEG_INFINITY, "-Inf"),
        ("{{ $value }}", 123_456_789.0, "1.23456789e+08"),
        ("{{ $value }}", 1e21, "1e+21"),
        ("{{ $value }}", 0.00001, "1e-05"),
        ("{{ $value }}", -0.0001, "-0.0001"),
    ] {
        assert_eq!(render(source, value), expected, "{source}");
    }
}

#[test]
fn anything_else_is_refused() {
    for (source, says) in [
        ("{{ if gt $value 1 }}x{{ end }}", "\"if\" is not spoken"),
        ("{{ range query \"up\" }}{{ end }}", "\"range\" is not spoken"),
        ("{{ query \"up\" | first | value }}", "cannot ask queries"),
        ("{{ $value", "not closed"),
        ("{{ }}", "empty"),
        ("{{ $value | }}", "a function is missing"),
        ("{{ $value | $value }}", "is not a function"),
        ("{{ humanise $value }}", "did you mean \"humanize\"?"),
        ("{{ $vale }}", "did you mean \"$value\"?"),
        ("{{ $labels }}", "name one label"),
        ("{{ $labels.a-b }}", "not a label's name"),
        ("{{ humanize }}", "one argument, here are 0"),
        ("{{ humanize $value $value }}", "one argument, here are 2"),
        ("{{ printf $value }}", "needs its format"),
        ("{{ printf \"%d\" $value }}", "take %.0f"),
        ("{{ printf \"%f\" $labels.n }}", "take %s"),
        ("{{ printf \"%s\" $value }}", "prints texts"),
        ("{{ printf \"%x\" $value }}", "verb %x"),
        ("{{ printf \"%f %f\" $value }}", "more verbs"),
        ("{{ printf \"none\" $value }}", "0 verbs for 1"),
        ("{{ printf \"%999f\" $value }}", "wider"),
        ("{{ printf \"%\" $value }}", "inside a verb"),
        ("{{ \"open }}", "not closed"),
        ("{{ (((((((((1))))))))) }}", "parentheses"),
        ("{{ $value $value }}", "is not expected"),
        ("{{ ) }}", "is not expected"),
    ] {
        let error = Template::parse(source).unwrap_err();
        assert!(error.message.contains(says), "{source}: {}", error.message);
    }
    assert_eq!(Template::parse("ab {{ x }}").unwrap_err().offset, 3);
}

proptest! {
    #[test]
    fn never_panics(source in "(\\{\\{|\\}\\}|\\$value|\\$labels\\.|printf|\"%[-+0-9.]{0,3}[fsdqvge]\"|[ |()\"`a-z\\\\é-]){0,12}", value in any::<f64>()) {
        if let Ok(template) = Template::parse(&source) {
            let _ = template.render(&Labels::empty(), value);
        }
    }

    #[test]
    fn any_number_prints(value in any::<f64>()) {
        for function in ["humanize", "humanize1024", "humanizePercentage", "humanizeDuration", "printf \"%.3g\"", "printf \"%e\""] {
            let source = format!("{{{{ {function} $value }}}}");
            prop_assert!(!render(&source, value).is_empty());
        }
        // The plain form reads back to the same number.
        let printed = render("{{ $value }}", value);
        let back: f64 = printed.parse().unwrap();
        prop_assert!(back == value || value.is_nan(), "{value} printed as {printed}");
    }
}
