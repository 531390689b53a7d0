//! How the files are served, and that they are what the sources make.
#![allow(clippy::unwrap_used)] // a test that cannot go on must fail

use std::fs;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::middleware::from_fn;
use http::{Request, Response};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

async fn get(path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    crate::router().oneshot(request).await.unwrap()
}

async fn bytes(response: Response<Body>) -> Vec<u8> {
    let body = response.into_body().collect().await.unwrap();
    body.to_bytes().to_vec()
}

#[tokio::test]
async fn every_page_is_the_index_and_a_missing_file_is_missing() {
    for page in ["/console/", "/console/keys", "/console/apis/abc/resources"] {
        let response = get(page, &[]).await;
        assert_eq!(response.status(), 200, "{page}");
        assert_eq!(
            response.headers()["content-type"],
            "text/html; charset=utf-8"
        );
        assert!(bytes(response).await.starts_with(b"<!doctype html>"));
    }
    for missing in [
        "/console/none.js",
        "/console/../Cargo.toml",
        "/console/%2e%2e/Cargo.toml",
    ] {
        assert_eq!(get(missing, &[]).await.status(), 404, "{missing}");
    }
}

#[tokio::test]
async fn a_file_is_compressed_for_who_takes_it_and_not_sent_twice() {
    let plain = get("/console/console.js", &[]).await;
    assert!(!plain.headers().contains_key("content-encoding"));
    let etag = plain.headers()["etag"].to_str().unwrap().to_owned();
    let plain = bytes(plain).await;
    let gzip = [("accept-encoding", "br, gzip;q=0.5")];
    let packed = get("/console/console.js", &gzip).await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = bytes(packed).await;
    let mut reader = flate2::read::GzDecoder::new(&packed[..]);
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    let again = get("/console/console.js", &[("if-none-match", &etag)]).await;
    assert_eq!(again.status(), 304);
    assert!(bytes(again).await.is_empty());
}

#[tokio::test]
async fn nothing_from_elsewhere_may_run() {
    let response = get("/console/", &[]).await;
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("http"));
    let page = String::from_utf8(bytes(response).await).unwrap();
    assert!(!page.contains("http://") && !page.contains("https://"));
    assert!(!page.contains("<style") && !page.contains("onclick"));
}

#[tokio::test]
async fn a_browser_at_the_root_is_led_to_the_console() {
    let led = crate::router().layer(from_fn(crate::lead));
    let at_root = async |accept| {
        let request = Request::get("/").header("accept", accept);
        let request = request.body(Body::empty()).unwrap();
        led.clone().oneshot(request).await.unwrap()
    };
    let response = at_root("text/html,*/*").await;
    assert_eq!(response.headers()["location"], "/console/");
    assert_eq!(at_root("application/json").await.status(), 404);
}

/// The same sum as `stamp.mjs` makes.
#[test]
fn the_built_files_are_those_of_the_sources() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<PathBuf> = [
        "package-lock.json",
        "package.json",
        "tsconfig.json",
        "vite.config.ts",
    ]
    .map(PathBuf::from)
    .to_vec();
    collect(home, Path::new("ui"), &mut names);
    names.sort_by(|a, b| {
        let bytes = |path: &PathBuf| path.as_os_str().as_encoded_bytes().to_vec();
        bytes(a).cmp(&bytes(b))
    });
    let mut sum = Sha256::new();
    for name in names {
        let content = fs::read(home.join(&name)).unwrap();
        sum.update(format!("{}\0{}\0", name.display(), content.len()));
        sum.update(content);
    }
    let sum: String = sum
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let built = fs::read_to_string(home.join("dist/source.sha256")).unwrap();
    assert_eq!(
        built.trim(),
        sum,
        "crates/console/dist is older than its sources: run `make console`"
    );
}

fn collect(home: &Path, folder: &Path, names: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(home.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = folder.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => collect(home, &name, names),
            false => names.push(name),
        }
    }
}
