//! What the admin UI's files are answered with: by path, encoding, and what the browser has.

use std::collections::BTreeSet;

use axum::body::to_bytes;

use super::*;

const FILES: [Shipped; 4] = [
    Shipped {
        path: "/index.html",
        plain: b"<meta name=\"wharf-deployment\" content=\"__WHARF_DEPLOYMENT__\">\
            <script nonce=\"__CSP_NONCE__\"></script><style nonce=\"__CSP_NONCE__\"></style>",
        brotli: None,
        gzip: None,
    },
    Shipped {
        path: "/assets/index-Bx3_k9Qa.js",
        plain: b"plain",
        brotli: Some(b"as brotli"),
        gzip: Some(b"as gzip"),
    },
    Shipped {
        path: "/assets/mark.svg",
        plain: b"<svg/>",
        brotli: None,
        gzip: Some(b"as gzip"),
    },
    Shipped {
        path: "/robots.txt",
        plain: b"no",
        brotli: None,
        gzip: None,
    },
];
const SCRIPT: &str = "/assets/index-Bx3_k9Qa.js";

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in of {
        headers.insert(*name, value.parse().unwrap());
    }
    headers
}

fn platform(files: &[Shipped]) -> AdminUi {
    AdminUi::of(files, &Serves::Platform)
}

fn get(path: &str, of: &[(&'static str, &str)]) -> Option<Response<Body>> {
    platform(&FILES).answer(&Method::GET, path, &headers(of))
}

async fn text(answer: Response<Body>) -> String {
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn every_route_is_the_page_with_a_nonce_of_its_own_that_the_policy_names() {
    let mut nonces = BTreeSet::new();
    for path in [
        "/",
        "/index.html",
        "/deployments",
        "/deployments/a.b/plans",
        "/hosts/h1.example",
    ] {
        let answer = get(path, &[("if-none-match", "*")]).expect(path);
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store", "{path}");
        let policy = answer.headers()[CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .to_owned();
        let nonce = policy.split("'nonce-").nth(1).expect("a nonce");
        let nonce = nonce.split('\'').next().expect("its end").to_owned();
        let page = text(answer).await;
        for place in [PLACEHOLDER, DEPLOYMENT] {
            assert!(!page.contains(place), "{page}");
        }
        assert_eq!(
            page.matches(&format!("nonce=\"{nonce}\"")).count(),
            2,
            "{page}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        for part in [
            "default-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "`{policy}` lacks `{part}`");
        }
        assert!(nonces.insert(nonce), "a nonce came twice");
    }
}

#[tokio::test]
async fn the_page_says_whose_data_it_shows_and_a_name_stays_a_name() {
    let shown = async |serves: &Serves| {
        let ui = AdminUi::of(&FILES, serves);
        let answer = ui.answer(&Method::GET, "/discover", &HeaderMap::new());
        text(answer.expect("a route of the page")).await
    };
    let page = shown(&Serves::Platform).await;
    assert!(page.contains("content=\"\""), "{page}");
    let page = shown(&Serves::Deployment("logs of team a".into())).await;
    assert!(page.contains("content=\"logs of team a\""), "{page}");
    let name = "\"><script>1</script>'&__CSP_NONCE__";
    let page = shown(&Serves::Deployment(name.into())).await;
    let kept = "content=\"&quot;&gt;&lt;script&gt;1&lt;/script&gt;&#39;&amp;__CSP_NONCE__\"";
    assert!(page.contains(kept), "{page}");
    assert_eq!(page.matches("<script").count(), 1, "{page}");
}

#[test]
fn what_is_not_the_uis_is_left_to_others() {
    for path in [
        "/api/nothing",
        "/api",
        "/assets/",
        "/assets/../index.html",
        "/assets/%2e%2e/index.html",
        "/assets/nothing.js",
        "/wharf.v1.Users/WhoAmI",
        "/favicon.ico",
        "/.env",
        "/../etc/passwd",
    ] {
        assert!(get(path, &[]).is_none(), "{path} was answered");
    }
    let ui = platform(&FILES);
    for method in [Method::POST, Method::PUT, Method::OPTIONS, Method::DELETE] {
        assert!(
            ui.answer(&method, "/", &HeaderMap::new()).is_none(),
            "{method}"
        );
    }
    assert!(
        platform(&[])
            .answer(&Method::GET, "/", &HeaderMap::new())
            .is_none()
    );
    assert!(!platform(&[]).is_built_in() && ui.is_built_in());
}

#[tokio::test]
async fn a_file_comes_in_the_best_form_that_the_browser_takes() {
    for (accepted, encoding, body) in [
        ("gzip, deflate, br, zstd", Some("br"), "as brotli"),
        ("gzip", Some("gzip"), "as gzip"),
        ("br;q=0, gzip;q=0.5", Some("gzip"), "as gzip"),
        ("BR", Some("br"), "as brotli"),
        ("identity", None, "plain"),
        ("br;q=x", None, "plain"),
        ("", None, "plain"),
    ] {
        let answer = get(SCRIPT, &[("accept-encoding", accepted)]).expect(accepted);
        let said = answer
            .headers()
            .get(CONTENT_ENCODING)
            .map(|value| value.to_str().unwrap());
        assert_eq!(said, encoding, "{accepted}");
        assert_eq!(answer.headers()[VARY], "accept-encoding");
        assert_eq!(
            answer.headers()[CONTENT_TYPE],
            "text/javascript; charset=utf-8"
        );
        assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers()[REFERRER_POLICY], "same-origin");
        assert_eq!(text(answer).await, body, "{accepted}");
    }
}

#[test]
fn only_what_has_its_hash_in_its_name_is_kept_without_asking() {
    let kept = |path: &str| {
        let answer = get(path, &[]).expect(path);
        answer.headers()[CACHE_CONTROL].to_str().unwrap().to_owned()
    };
    assert_eq!(kept(SCRIPT), "public, max-age=31536000, immutable");
    assert_eq!(kept("/assets/mark.svg"), "no-cache");
    assert_eq!(kept("/robots.txt"), "no-cache");
    assert!(has_hash("/assets/a-1234567-.css") && !has_hash("/assets/a-123.css"));
    assert!(!has_hash("/assets/.css") && !has_hash(""));
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again_and_another_form_of_it_is() {
    let gzip = ("accept-encoding", "gzip");
    let first = get(SCRIPT, &[gzip]).expect("it is there");
    let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
    let again = get(
        SCRIPT,
        &[gzip, ("if-none-match", &format!("\"x\", W/{tag}"))],
    );
    let again = again.expect("it is there");
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()[ETAG], tag.as_str());
    assert_eq!(text(again).await, "");
    let plain = get(SCRIPT, &[("if-none-match", &tag)]).expect("it is there");
    assert_eq!(
        plain.status(),
        StatusCode::OK,
        "the tag is of the gzip form"
    );
}

#[test]
fn what_this_binary_was_built_with_is_whole() {
    let ui = AdminUi::shipped(&Serves::Platform);
    let page = SHIPPED.iter().find(|file| file.path == PAGE);
    let Some(page) = page.and_then(|file| std::str::from_utf8(file.plain).ok()) else {
        assert!(ui.files.is_empty(), "files without a page: {ui:?}");
        return;
    };
    for place in [PLACEHOLDER, DEPLOYMENT] {
        assert!(page.contains(place), "the page has no place for {place}");
    }
    for (path, file) in &ui.files {
        assert!(!file.shipped.plain.is_empty(), "{path} is empty");
        assert_ne!(
            file.kind, "application/octet-stream",
            "{path} has no known kind"
        );
    }
    let named = page.split('"').filter(|text| text.starts_with("/assets/"));
    for path in named {
        assert!(
            ui.files.contains_key(path),
            "the page names {path}, which is not there"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_path_and_no_header_panics(path in ".{0,60}", header in "[ -~]{0,60}") {
        let _ = get(&format!("/{path}"), &[("accept-encoding", &header), ("if-none-match", &header)]);
        let _ = get(&path, &[]);
    }
}
