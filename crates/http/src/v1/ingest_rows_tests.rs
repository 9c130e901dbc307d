use super::*;

fn rows(readings: &str) -> Vec<ReadingRow> {
    let body = format!("{{\"readings\":[{readings}]}}");
    let draft = decode(body.as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert!(draft.faults.is_empty(), "{}", draft.faults);
    draft.value.readings
}

#[test]
fn each_row_is_decoded_by_itself() {
    let rows = rows(
        r#"{"module":"SN-1","metric":"power","at":"2026-01-01T00:00:00+01:00","value":-1.5},
           {"metric":7,"at":"yesterday","value":"12"},
           {"module":null,"metric":null,"at":12,"value":null},
           {"metric":"power","at":["x",{"y":[]}],"value":{"z":{}}},
           42, "text", null, [1], true,
           {"metric":"power","at":"2026-01-01T00:00:00Z","value":1,"colour":"red"},
           {}"#,
    );
    assert_eq!(rows[0].module, Some(Ok("SN-1".to_owned())));
    assert_eq!(rows[0].value, Ok(-1.5));
    assert_eq!(
        (rows[1].metric.clone(), rows[1].at, rows[1].value),
        (Err("not_a_string"), Err("not_a_time"), Err("not_a_number"))
    );
    assert_eq!(rows[2].module, Some(Err("missing")));
    assert_eq!((rows[2].at, rows[2].value), (Err("not_a_time"), Err("missing")));
    assert_eq!((rows[3].at, rows[3].value), (Err("not_a_time"), Err("not_a_number")));
    assert!(rows[4..9].iter().all(|row| row.shape == Some((RowField::Row, "not_an_object"))));
    assert_eq!(rows[9].shape, Some((RowField::Unknown("colour".to_owned()), "unknown_field")));
    assert_eq!(rows[10].metric, Err("missing"));
}

#[test]
fn what_is_not_json_is_malformed() {
    let deep = format!("{{\"readings\":[{}]}}", "[".repeat(200) + &"]".repeat(200));
    for body in [
        "",
        "{",
        "[",
        "nonsense",
        "{\"readings\":[]} x",
        "{\"readings\":[NaN]}",
        "{\"readings\":[{\"value\":1,\"value\":2}]}",
        "{\"readings\":[],\"readings\":[]}",
        "{\"readings\":[{\"metric\":\"\\ud800\"}]}",
        "{\"readings\":[{\"value\":1e999}]}",
        deep.as_str(),
    ] {
        assert!(matches!(decode(body.as_bytes()), Err(Error::Malformed(_))), "{body}");
    }
    assert!(matches!(decode(b"{\"readings\":[{\"metric\":\"\xff\"}]}"), Err(Error::Malformed(_))));
}

#[test]
fn faults_of_the_batch_itself_are_named() {
    for (body, field) in [
        ("[]", "body"),
        ("1", "body"),
        ("{}", "readings"),
        ("{\"readings\":{}}", "readings"),
        ("{\"readings\":[],\"colour\":1}", "colour"),
        ("{\"readings\":[],\"organization_id\":\"x\"}", "organization_id"),
    ] {
        let draft = decode(body.as_bytes()).expect("JSON");
        assert!(draft.faults.names(field), "{body}: {}", draft.faults);
    }
}

#[test]
fn a_batch_cut_off_anywhere_is_refused_without_a_panic() {
    let body =
        r#"{"readings":[{"module":"é","metric":"p","at":"2026-01-01T00:00:00Z","value":1.5e3}]}"#.as_bytes();
    for length in 0..body.len() {
        assert!(decode(&body[..length]).is_err(), "{length}");
    }
    assert!(decode(body).is_ok());
}

#[test]
fn a_batch_that_is_too_long_is_not_kept_in_memory() {
    let body = format!("{{\"readings\":[{}]}}", vec!["{}"; 30_000].join(","));
    let draft = decode(body.as_bytes()).expect("JSON");
    assert_eq!(draft.value.readings.len(), MAX_BATCH_ROWS + 1);
    assert!(draft.checked().is_err());
}
