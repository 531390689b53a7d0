//! Tests of patching: reading values, matching paths, wording refusals.

use super::wire::WireDocument;
use super::*;

#[derive(Debug, Default, PartialEq, Clone)]
struct Sample {
    name: Option<String>,
    enabled: bool,
    rate: f64,
    seen: Vec<String>,
}

impl Patch for Sample {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/name", |it, new| new.set(&mut it.name)),
        replace("/enabled", |it, new| new.set(&mut it.enabled)),
        set("/rate", |it, new| new.set(&mut it.rate)),
        set(
            "/stages/<stage>/throttle/<resourcePath>/<httpMethod>/rateLimit",
            |it, new| {
                it.seen.clone_from(&new.at);
                Ok(())
            },
        ),
        add("/types/{type}", |it, new| {
            it.seen.clone_from(&new.at);
            Ok(())
        }),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

fn patch(op: &str, path: &str, value: Option<&str>) -> Result<Sample, Error> {
    let body = serde_json::json!({"patchOperations": [{"op": op, "path": path, "value": value}]});
    let wire: WireDocument = serde_json::from_value(body).unwrap();
    let mut sample = Sample {
        rate: 1.0,
        ..Sample::default()
    };
    wire.checked("UpdateSample")?.apply(&mut sample)?;
    Ok(sample)
}

#[test]
fn values_are_read_by_the_type_of_the_field() {
    assert_eq!(
        patch("replace", "/name", Some("n"))
            .unwrap()
            .name
            .as_deref(),
        Some("n")
    );
    assert_eq!(patch("replace", "/name", Some("")).unwrap().name, None);
    assert!(patch("replace", "/enabled", Some("TRUE")).unwrap().enabled);
    assert!(
        !patch("replace", "/enabled", Some("not-a-boolean"))
            .unwrap()
            .enabled
    );
    assert_eq!(patch("add", "/rate", Some("10.5")).unwrap().rate, 10.5);
    assert_eq!(
        patch("replace", "/rate", Some("10.000000")).unwrap().rate,
        10.0
    );
    for bad in ["NaN", "inf", "x", ""] {
        assert!(patch("add", "/rate", Some(bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_resource_path_comes_raw_or_escaped() {
    let seen = |path: &str| patch("replace", path, Some("1")).unwrap().seen;
    assert_eq!(
        seen("/stages/a1:prod/throttle//test/GET/rateLimit"),
        ["a1:prod", "/test", "GET"]
    );
    assert_eq!(
        seen("/stages/a1:prod/throttle/~1test~1{id}/GET/rateLimit"),
        ["a1:prod", "/test/{id}", "GET"]
    );
    assert_eq!(
        seen("/stages/a1:prod/throttle//test/{id}/GET/rateLimit"),
        ["a1:prod", "/test/{id}", "GET"]
    );
    assert_eq!(
        seen("/stages/a1:prod/throttle///GET/rateLimit"),
        ["a1:prod", "/", "GET"]
    );
    assert_eq!(
        seen("/stages/a1:prod/throttle/~1/GET/rateLimit"),
        ["a1:prod", "/", "GET"]
    );
}

#[test]
fn other_holes_take_one_segment() {
    assert_eq!(
        patch("add", "/types/image~1png", None).unwrap().seen,
        ["image/png"]
    );
    assert_eq!(patch("add", "/types/a~01b", None).unwrap().seen, ["a~1b"]);
    assert!(patch("add", "/types/image/png", None).is_err());
    assert!(patch("add", "/types/", None).is_err());
    assert!(patch("add", "types/x", None).is_err());
}

#[test]
fn a_bad_path_lists_the_good_ones_of_that_op() {
    let text = patch("replace", "/id", Some("x")).unwrap_err().to_string();
    assert_eq!(
        text,
        "Invalid patch path  '/id' specified for op 'replace'. Must be one of: [/name, /enabled, /rate, \
         /stages/<stage>/throttle/<resourcePath>/<httpMethod>/rateLimit]"
    );
    let text = patch("remove", "/name", None).unwrap_err().to_string();
    assert_eq!(
        text,
        "Invalid patch path  '/name' specified for op 'remove'. Please choose supported operations"
    );
}

#[test]
fn an_unknown_op_is_told_with_its_place() {
    let text = patch("wrong", "/name", None).unwrap_err().to_string();
    assert_eq!(
        text,
        "1 validation error detected: Value 'wrong' at 'updateSampleInput.patchOperations.1.member.op' failed to satisfy \
         constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]"
    );
}

proptest::proptest! {
    #[test]
    fn no_path_makes_it_panic(path in ".{0,60}", op in "(add|remove|replace|copy|move|test)") {
        let _ = patch(&op, &path, Some("1"));
        let _ = patch(&op, &format!("/stages/{path}/rateLimit"), Some("1"));
    }
}
