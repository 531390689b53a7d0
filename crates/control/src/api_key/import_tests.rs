//! Tests of `import`: every form of file AWS's guide allows, and what people do to them.

use super::*;

const A: &str = "apikey1234abcdefghij0123456789";
const B: &str = "apikey1234abcdefghij012345678A";

fn rows(text: &str) -> Vec<ImportedKey> {
    let (keys, warnings) = parse(text.as_bytes()).unwrap();
    assert_eq!(warnings, []);
    keys
}

fn warnings(text: &str) -> Vec<String> {
    parse(text.as_bytes())
        .unwrap()
        .1
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_sample_of_the_guide_is_read() {
    let text = format!(
        "Name,key,description,Enabled,usageplanIds\n\
         MyFirstApiKey,{A},An imported key,TRUE,c7y23b\n\
         MyOther,{B},,FALSE,\"c7y23b,n371pt\"\n"
    );
    let first = ImportedKey {
        line: 2,
        name: "MyFirstApiKey".into(),
        value: A.into(),
        description: Some("An imported key".into()),
        enabled: Some(true),
        usage_plan_ids: vec!["c7y23b".into()],
    };
    let second = ImportedKey {
        line: 3,
        name: "MyOther".into(),
        value: B.into(),
        description: None,
        enabled: Some(false),
        usage_plan_ids: vec!["c7y23b".into(), "n371pt".into()],
    };
    assert_eq!(rows(&text), [first, second]);
}

#[test]
fn columns_come_in_any_order_and_case_with_others_between() {
    let keys = rows(&format!(
        "colour, ENABLED ,\"KEY\",nAmE\nred, fALSE , {A} , n \n"
    ));
    assert_eq!(
        (
            keys[0].name.as_str(),
            keys[0].value.as_str(),
            keys[0].enabled
        ),
        ("n", A, Some(false))
    );
}

#[test]
fn a_mark_crlf_cr_blank_lines_and_no_last_newline_change_nothing() {
    let plain = rows(&format!("Name,Key\na,{A}\nb,{B}\n"));
    let values = |keys: Vec<ImportedKey>| {
        keys.into_iter()
            .map(|key| (key.name, key.value))
            .collect::<Vec<_>>()
    };
    for text in [
        format!("\u{feff}Name,Key\na,{A}\nb,{B}"),
        format!("Name,Key\r\na,{A}\r\nb,{B}\r\n"),
        format!("Name,Key\ra,{A}\rb,{B}\r"),
        format!("\n\nName,Key\n\n , \na,{A}\n,,,\nb,{B}\n\n"),
        format!("Name,Key,\na,{A},\nb,{B},,,"),
    ] {
        assert_eq!(values(rows(&text)), values(plain.clone()), "{text:?}");
    }
}

#[test]
fn plan_ids_stand_in_either_quotes() {
    let plans = |field: &str| {
        rows(&format!("Name,Key,UsagePlanIds,X\na,{A},{field},z\n"))[0]
            .usage_plan_ids
            .clone()
    };
    for field in ["\"p1,p2\"", "'p1,p2'", " \" p1 , p2, \" ", " 'p1 ,p2' "] {
        assert_eq!(plans(field), ["p1", "p2"], "{field}");
    }
    assert_eq!(plans("p1"), ["p1"]);
    assert_eq!(plans(""), Vec::<String>::new());
    let keys = rows(&format!("Name,Key\n'tis it,{A}\nO'Brien's,{B}\n"));
    assert_eq!(
        (keys[0].name.as_str(), keys[1].name.as_str()),
        ("'tis it", "O'Brien's")
    );
}

#[test]
fn quoted_text_keeps_commas_quotes_and_lines() {
    let keys = rows(&format!(
        "Name,Description,Key\n\"a, \"\"b\"\"\",\"two\r\nlines\",{A}\nnext,,{B}\n"
    ));
    assert_eq!(
        (keys[0].name.as_str(), keys[0].description.as_deref()),
        ("a, \"b\"", Some("two\r\nlines"))
    );
    assert_eq!((keys[0].line, keys[1].line), (2, 4));
}

#[test]
fn a_file_without_its_columns_is_refused() {
    let error = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error("/tmp/apikey.csv"), "Missing required column 'Key'");
    assert_eq!(error(""), "Missing required column 'Key'");
    assert_eq!(
        error("Name,Description\na,b\n"),
        "Missing required column 'Key'"
    );
    assert_eq!(error("Key\nx\n"), "Missing required column 'Name'");
    assert_eq!(
        error("Key,Name,KEY\n"),
        "Column 'Key' is there more than once"
    );
}

#[test]
fn a_file_cut_off_in_a_quote_is_refused_with_the_line() {
    let text = format!("Name,Key,UsagePlanIds\na,{A},p\nb,{B},\"p1,p");
    assert_eq!(parse(text.as_bytes()), Err(ImportError::OpenQuote(3)));
    assert_eq!(parse(b"Name,Key\na\xff,b\n"), Err(ImportError::NotText(2)));
}

#[test]
fn rows_that_cannot_be_used_are_told_with_their_lines() {
    let text = format!(
        "Name,Key,Enabled\nshort,abc,\n,{A},\na,{A},yes\na,{A},\nagain,{A},\nmany,{B},true,p1,p2\n\"q\"x,{B},\nsp ace,{B} {B},\n{},{B},\n",
        "n".repeat(1025)
    );
    assert_eq!(
        warnings(&text),
        [
            "Line 2: API Key value should be at least 20 characters",
            "Line 3: Name is empty",
            "Line 4: Enabled must be TRUE or FALSE, not 'yes'",
            "Line 6: the same Key is on line 5 already",
            "Line 7: 5 fields, but the header has 3; several plan ids must be in quotes",
            "Line 8: text behind a closing quote",
            "Line 9: API Key value can contain only visible ASCII characters",
            "Line 10: Name can be at most 1024 characters",
        ]
    );
}

#[test]
fn a_file_of_something_else_is_given_up() {
    let text = format!("Name,Key\n{}", "x\n".repeat(BAD_ROWS_MAX + 5));
    assert_eq!(parse(text.as_bytes()), Err(ImportError::TooManyBadRows(2)));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_text_like_csv_makes_it_panic(text in "([a-zA-Z\"', \r\n\u{feff}é]|Name,Key,UsagePlanIds\n){0,80}") {
        let _ = parse(format!("Name,Key,UsagePlanIds\n{text}").as_bytes());
        let _ = parse(text.as_bytes());
    }

    #[test]
    fn what_is_written_is_read(rows in proptest::collection::vec(("[!-~]{20,40}", "[a-z][ -~]{0,20}[a-z]"), 0..20)) {
        let mut text = String::from("Key,Name\r\n");
        for (value, name) in &rows {
            text.push_str(&format!("\"{}\",\"{}\"\r\n", value.replace('"', "\"\""), name.replace('"', "\"\"")));
        }
        let (keys, warnings) = parse(text.as_bytes()).unwrap();
        proptest::prop_assert_eq!(keys.len() + warnings.len(), rows.len());
        for key in keys {
            let (value, name) = &rows[key.line - 2];
            proptest::prop_assert_eq!((&key.value, &key.name), (value, name));
        }
    }
}
