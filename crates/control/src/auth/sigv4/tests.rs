//! Tests of `sigv4`: AWS's own signer on the other side, and everything a signature must not survive.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings};
use aws_sigv4::sign::v4;
use http::{Method, Uri};

use super::*;

const ID: &str = "AKIAEXAMPLEEXAMPLE22";
const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY42";
const NOW: Timestamp = Timestamp(1_750_000_000);

/// A request to our host; `target` is path and query as they go on the wire.
fn request(method: &str, target: &str, body: &str) -> Request<String> {
    let uri: Uri = target.parse().unwrap();
    Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "localhost:8081")
        .body(body.to_owned())
        .unwrap()
}

/// Signs with AWS's crate; returns the target a presigned request would have.
fn sign_as_aws(
    request: &mut Request<String>,
    at: Timestamp,
    presign_s: Option<u64>,
    service: &str,
) {
    let identity = Credentials::new(ID, SECRET, None, None, "test").into();
    let mut settings = SigningSettings::default();
    if let Some(seconds) = presign_s {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(seconds));
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name(service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(at.0.unsigned_abs()))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let uri = format!("http://localhost:8081{}", request.uri());
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    let body = SignableBody::Bytes(request.body().as_bytes());
    let signable =
        SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), body).unwrap();
    let (instructions, _) = aws_sigv4::http_request::sign(signable, &params)
        .unwrap()
        .into_parts();
    *request.uri_mut() = format!("http://localhost:8081{}", request.uri())
        .parse()
        .unwrap();
    instructions.apply_to_request_http1x(request);
    let target = request.uri().path_and_query().unwrap().to_string();
    *request.uri_mut() = target.parse().unwrap();
}

fn judged(request: Request<String>, now: Timestamp, secret: &str) -> Result<String, Error> {
    let (parts, body) = request.into_parts();
    let claim = claim(&parts, now)?;
    claim.fits(&parts, body.as_bytes(), secret)?;
    Ok(claim.access_key_id)
}

fn refused(request: Request<String>) -> String {
    judged(request, NOW, SECRET).unwrap_err().to_string()
}

fn set(request: &mut Request<String>, name: &'static str, value: &str) {
    request.headers_mut().insert(name, value.parse().unwrap());
}

const TARGETS: &[&str] = &[
    "/",
    "/apikeys",
    "/apikeys?limit=25&includeValues=true",
    "/apikeys?name=a%20b%2Bc&name=a&name=B",
    "/apikeys?mode=import&format=csv&failonwarnings=false",
    "/apikeys?flag&empty=&=x&a=b=c",
    "/apikeys?%C3%A4=%F0%9F%98%80&~=-._~",
    "/apikeys?plus=a+b",
    "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fusageplans%2Fup1?tagKeys=b&tagKeys=a",
    "/domainnames/x/basepathmappings/%28none%29",
    "/restapis/a/resources/b/methods/GET/",
    "/usageplans/a%2Fb%25c/keys/%20",
    "/a/./b/../c//d",
    "/~user/a_b-c.d/*'()!",
];

#[test]
fn requests_signed_by_aws_are_recognised() {
    for target in TARGETS {
        for (method, body) in [("GET", ""), ("POST", "{\"name\":\"ü\"}"), ("DELETE", "")] {
            let mut request = request(method, target, body);
            set(&mut request, "accept", " application/json ,  text/plain");
            set(&mut request, "content-type", "application/json");
            sign_as_aws(&mut request, NOW, None, "apigateway");
            assert_eq!(
                judged(request, NOW, SECRET),
                Ok(ID.to_owned()),
                "{method} {target}"
            );
        }
    }
}

#[test]
fn what_we_sign_we_recognise_and_aws_signs_the_same() {
    for target in TARGETS {
        let mut ours = request("POST", target, "{}");
        sign(&mut ours, ID, SECRET, "eu-central-1", NOW).unwrap();
        let mut theirs = request("POST", target, "{}");
        sign_as_aws(&mut theirs, NOW, None, "apigateway");
        assert_eq!(
            ours.headers()["authorization"],
            theirs.headers()["authorization"],
            "{target}"
        );
        assert_eq!(judged(ours, NOW, SECRET), Ok(ID.to_owned()));
    }
}

#[test]
fn repeated_headers_are_joined_in_order() {
    let mut request = request("GET", "/account", "");
    request
        .headers_mut()
        .append("x-amz-meta", " a   b ".parse().unwrap());
    request
        .headers_mut()
        .append("x-amz-meta", "c".parse().unwrap());
    sign(&mut request, ID, SECRET, "us-east-1", NOW).unwrap();
    assert!(judged(request, NOW, SECRET).is_ok());
}

#[test]
fn a_presigned_get_holds_until_it_expires() {
    let presigned = |seconds| {
        let mut request = request("GET", "/apikeys?limit=3&name=a%20b", "");
        sign_as_aws(&mut request, NOW, Some(seconds), "apigateway");
        request
    };
    assert_eq!(judged(presigned(90), NOW, SECRET), Ok(ID.to_owned()));
    assert!(judged(presigned(90), Timestamp(NOW.0 + 90), SECRET).is_ok());
    let text = judged(presigned(90), Timestamp(NOW.0 + 91), SECRET)
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "Signature expired: 20250615T150640Z is now earlier than 20250615T150641Z (20250615T150811Z - 90 sec.)"
    );
    let mut longer = presigned(90);
    *longer.uri_mut() = longer
        .uri()
        .to_string()
        .replace("Expires=90", "Expires=900")
        .parse()
        .unwrap();
    assert!(refused(longer).starts_with("The request signature we calculated does not match"));
    let mut post = presigned(90);
    *post.method_mut() = Method::POST;
    assert!(matches!(
        judged(post, NOW, SECRET),
        Err(Error::AccessDenied(_))
    ));
}

#[test]
fn nothing_that_is_signed_can_be_changed() {
    type Change = fn(&mut Request<String>);
    let changes: &[(&str, Change)] = &[
        ("method", |r| *r.method_mut() = Method::PUT),
        ("path", |r| {
            *r.uri_mut() = "/apikeyz?limit=1".parse().unwrap()
        }),
        ("query", |r| {
            *r.uri_mut() = "/apikeys?limit=2".parse().unwrap()
        }),
        ("more query", |r| {
            *r.uri_mut() = "/apikeys?limit=1&x=1".parse().unwrap()
        }),
        ("body", |r| r.body_mut().push(' ')),
        ("host", |r| set(r, "host", "localhost:8082")),
        ("header", |r| set(r, "content-type", "text/csv")),
        ("time", |r| set(r, "x-amz-date", "20250615T150639Z")),
        ("a dropped header", |r| {
            drop(r.headers_mut().remove("content-type"))
        }),
        ("a doubled header", |r| {
            assert!(
                r.headers_mut()
                    .append("content-type", "a/b".parse().unwrap())
            )
        }),
    ];
    for (what, change) in changes {
        let mut request = request("POST", "/apikeys?limit=1", "{}");
        set(&mut request, "content-type", "application/json");
        sign(&mut request, ID, SECRET, "us-east-1", NOW).unwrap();
        change(&mut request);
        let text = refused(request);
        assert!(
            text.starts_with("The request signature we calculated does not match"),
            "{what}: {text}"
        );
    }
}

#[test]
fn a_header_of_aws_cannot_be_added_unsigned() {
    let signed = || {
        let mut request = request("GET", "/account", "");
        sign(&mut request, ID, SECRET, "us-east-1", NOW).unwrap();
        request
    };
    let presigned = || {
        let mut request = request("GET", "/account", "");
        sign_as_aws(&mut request, NOW, Some(90), "apigateway");
        request
    };
    for mut request in [signed(), presigned()] {
        set(&mut request, "x-amzn-trace-id", "Root=1");
        set(&mut request, "accept", "*/*");
        assert!(judged(request, NOW, SECRET).is_ok());
    }
    for mut request in [signed(), presigned()] {
        set(&mut request, "x-amz-target", "t");
        assert_eq!(
            refused(request),
            "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
        );
    }
    let mut both = request("GET", "/account", "");
    set(&mut both, "x-amz-target", "t");
    sign_as_aws(&mut both, NOW, Some(90), "apigateway");
    assert!(judged(both, NOW, SECRET).is_ok());
}

#[test]
fn a_session_token_is_of_no_credentials_we_know() {
    let mut header = request("GET", "/account", "");
    set(&mut header, "x-amz-security-token", "");
    sign(&mut header, ID, SECRET, "us-east-1", NOW).unwrap();
    let mut presigned_header = request("GET", "/account", "");
    set(&mut presigned_header, "x-amz-security-token", "t");
    sign_as_aws(&mut presigned_header, NOW, Some(90), "apigateway");
    let mut query = request("GET", "/account?X-Amz-Security-Token=t", "");
    sign_as_aws(&mut query, NOW, Some(90), "apigateway");
    for request in [header, presigned_header, query] {
        assert_eq!(judged(request, NOW, SECRET), Err(Error::UnrecognizedClient));
    }
}

#[test]
fn another_secret_does_not_fit() {
    for secret in ["", "x", &SECRET[1..]] {
        let mut request = request("GET", "/account", "");
        sign(&mut request, ID, SECRET, "us-east-1", NOW).unwrap();
        assert_eq!(
            judged(request, NOW, secret),
            Err(Error::InvalidSignature(MISMATCH.to_owned()))
        );
    }
}

#[test]
fn a_signature_ages_five_minutes_either_way() {
    let judged_after = |seconds: i64| {
        let mut request = request("GET", "/account", "");
        sign(&mut request, ID, SECRET, "us-east-1", NOW).unwrap();
        judged(request, Timestamp(NOW.0 + seconds), SECRET)
    };
    assert!(judged_after(300).is_ok() && judged_after(-300).is_ok());
    assert_eq!(
        judged_after(301).unwrap_err().to_string(),
        "Signature expired: 20250615T150640Z is now earlier than 20250615T150641Z (20250615T151141Z - 5 min.)"
    );
    assert_eq!(
        judged_after(-301).unwrap_err().to_string(),
        "Signature not yet current: 20250615T150640Z is still later than 20250615T150639Z (20250615T150139Z + 5 min.)"
    );
}

#[test]
fn a_said_body_hash_must_be_the_real_one() {
    let said = |hash: &str| {
        let mut request = request("POST", "/apikeys", "{}");
        set(&mut request, "x-amz-content-sha256", hash);
        sign(&mut request, ID, SECRET, "us-east-1", NOW).unwrap();
        judged(request, NOW, SECRET)
    };
    assert!(said(&sha256_hex(b"{}")).is_ok());
    for wrong in [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "",
        &sha256_hex(b"{ }"),
    ] {
        assert!(
            matches!(said(wrong), Err(Error::InvalidSignature(_))),
            "{wrong}"
        );
    }
}

#[test]
fn a_date_header_serves_where_x_amz_date_is_missing() {
    // Signed by hand, since signers of today always set x-amz-date.
    let mut request = request("GET", "/account", "");
    set(&mut request, "date", "Sun, 15 Jun 2025 15:06:40 GMT");
    let names = ["date".to_owned(), "host".to_owned()];
    let scope = Scope {
        day: "20250615".to_owned(),
        region: "r".to_owned(),
    };
    let canonical = canonical_request(
        &Method::GET,
        "/account",
        "",
        request.headers(),
        &names,
        &sha256_hex(b""),
    );
    let signature = scope.signature(SECRET, "20250615T150640Z", &canonical);
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={ID}/{},SignedHeaders=date;host,Signature={signature}",
        scope.text()
    );
    set(&mut request, "authorization", &value);
    assert!(judged(request, NOW, SECRET).is_ok());
}

#[test]
fn malformed_claims_are_told_apart() {
    let with = |authorization: &str, date: Option<&str>| {
        let mut request = request("GET", "/account", "");
        set(&mut request, "authorization", authorization);
        if let Some(date) = date {
            set(&mut request, "x-amz-date", date);
        }
        judged(request, NOW, SECRET).unwrap_err()
    };
    let now = Some("20250615T150640Z");
    let good = "Credential=AK/20250615/us-east-1/apigateway/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";
    let aws = |members: &str| format!("AWS4-HMAC-SHA256 {members}");
    let cases: Vec<(Error, &str)> = vec![
        (
            with("Bearer abc", now),
            "'Bearer' not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer abc'.",
        ),
        (
            with("AWS4-HMAC-SHA256", now),
            "'AWS4-HMAC-SHA256' not a valid key=value pair",
        ),
        (
            with(&aws("x=1"), None),
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter.",
        ),
        (
            with(&aws(good), None),
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        ),
        (
            with(&aws(good), Some("yesterday")),
            "Date must be in ISO-8601 'basic format'. Got 'yesterday'.",
        ),
        (
            with(&aws(&good.replace("AK/", "")), now),
            "Credential must have exactly 5 slash-delimited elements",
        ),
    ];
    for (error, text) in cases {
        assert!(matches!(error, Error::IncompleteSignature(_)), "{error:?}");
        assert!(error.to_string().starts_with(text), "{error}");
    }
    let cases: Vec<(Error, &str)> = vec![
        (
            with(&aws(&good.replace("apigateway", "s3")), now),
            "Credential should be scoped to correct service: 'apigateway'. ",
        ),
        (
            with(&aws(&good.replace("aws4_request", "x")), now),
            "Credential should be scoped with a valid terminator",
        ),
        (
            with(&aws(&good.replace("20250615", "20250614")), now),
            "Date in Credential scope does not match",
        ),
        (
            with(&aws(&good.replace("host;", "")), now),
            "'Host' or ':authority' must be a 'SignedHeader'",
        ),
        (
            with(&aws(&good.replace(";x-amz-date", "")), now),
            "'X-Amz-Date' or 'Date' must be a 'SignedHeader'",
        ),
        (
            with(&aws(good), now),
            "The request signature we calculated does not match",
        ),
    ];
    for (error, text) in cases {
        assert!(matches!(error, Error::InvalidSignature(_)), "{error:?}");
        assert!(error.to_string().starts_with(text), "{error}");
    }
    let unsigned = judged(request("GET", "/account", ""), NOW, SECRET);
    assert_eq!(unsigned, Err(Error::MissingAuthenticationToken));
}

#[test]
fn a_request_for_another_service_is_not_ours() {
    let mut request = request("GET", "/account", "");
    sign_as_aws(&mut request, NOW, None, "execute-api");
    assert_eq!(
        refused(request),
        "Credential should be scoped to correct service: 'apigateway'. "
    );
}

proptest::proptest! {
    #[test]
    fn no_header_or_query_makes_it_panic(header in "[ -~]{0,80}", query in "[!-~]{0,80}") {
        let query: String = query.chars().filter(|c| !"#\"<>`{}|\\^".contains(*c)).collect();
        let mut signed = request("GET", "/account", "");
        set(&mut signed, "authorization", &format!("AWS4-HMAC-SHA256 {header}"));
        let _ = judged(signed, NOW, SECRET);
        let _ = judged(request("GET", &format!("/account?X-Amz-Algorithm=AWS4-HMAC-SHA256&{query}"), ""), NOW, SECRET);
    }

    #[test]
    fn any_path_and_query_signed_by_aws_is_recognised(path in "(/[a-zA-Z0-9._~%-]{0,8}){1,5}", query in "[a-zA-Z0-9._~&=+-]{0,30}") {
        let path = path.replace('%', "%2F");
        let mut signed = request("GET", &format!("{path}?{query}"), "");
        sign_as_aws(&mut signed, NOW, None, "apigateway");
        proptest::prop_assert!(judged(signed, NOW, SECRET).is_ok());
    }
}
