//! Who fetches what: good, forged, cut, unknown and old links, other addresses and other methods.

use approvals::link::{Keys, Purpose};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::Value;

use crate::fixture::*;

#[tokio::test]
async fn a_get_shows_the_page_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let before = fixture.item().await;
    let link = fixture.link(0);
    let scanners: [&[(&str, &str)]; 6] = [
        &[],
        &[("purpose", "prefetch")],
        &[("sec-purpose", "prefetch;prerender")],
        &[("x-moz", "prefetch")],
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        &[("user-agent", "Mail scanner"), ("content-type", FORM)],
    ];
    let first = fixture.get(&format!("/review/{link}")).await;
    assert_eq!(first.status, 200);
    for headers in scanners {
        for (page, purpose) in [
            ("review", Purpose::Decide),
            ("picture", Purpose::Show),
            ("thumbnail", Purpose::Show),
        ] {
            let link = fixture.link_of(purpose, POST, 1, 0, LINK_ENDS);
            let path = format!("/{page}/{link}");
            // A body is of no use to a GET.
            let body = encoded(&fixture.approving(&link));
            let got = fixture.ask(1, "GET", &path, headers, &body).await;
            assert_eq!(got.status, 200, "{page} {headers:?}");
            let head = fixture.ask(1, "HEAD", &path, headers, &body).await;
            assert_eq!(head.status, got.status, "{page} {headers:?}");
            assert_eq!(head.headers, got.headers, "{page} {headers:?}");
            assert!(head.body.is_empty(), "{page} {headers:?}");
            if page == "review" {
                assert_eq!(got, first, "{headers:?}");
            }
        }
    }
    let link = fixture.link_of(Purpose::Decide, POST, 1, 0, 0);
    for (path, status) in [
        ("/nothing".to_owned(), 404),
        (format!("/review/{link}"), 410),
    ] {
        let got = fixture.get(&path).await;
        let head = fixture.ask(1, "HEAD", &path, &[], b"").await;
        assert_eq!((got.status.as_u16(), head.status), (status, got.status));
        assert_eq!(head.headers, got.headers, "{path}");
        assert!(head.body.is_empty() && !got.body.is_empty(), "{path}");
    }
    fixture.undecided(&before, "a scanner").await;
    assert_eq!(fixture.audit().await.len(), 1, "page views go to the logs");
}

#[tokio::test]
async fn other_methods_get_the_list_of_allowed_methods() {
    let fixture = Fixture::new().await;
    let before = fixture.item().await;
    let link = fixture.link(0);
    let show = fixture.link_of(Purpose::Show, POST, 1, 0, LINK_ENDS);
    let form = encoded(&fixture.approving(&link));
    let rows = [
        (
            "review",
            &link,
            "GET, HEAD, POST",
            vec!["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "post"],
        ),
        (
            "picture",
            &show,
            "GET, HEAD",
            vec!["OPTIONS", "PUT", "DELETE", "PATCH", "POST"],
        ),
        (
            "thumbnail",
            &show,
            "GET, HEAD",
            vec!["OPTIONS", "PUT", "DELETE", "PATCH", "POST"],
        ),
    ];
    for (page, link, allowed, methods) in rows {
        for method in methods {
            let path = format!("/{page}/{link}");
            let headers = [
                ("content-type", FORM),
                ("access-control-request-method", "POST"),
                ("x-http-method-override", "POST"),
            ];
            let answer = fixture.ask(1, method, &path, &headers, &form).await;
            assert_eq!(answer.status, 405, "{method} {page}");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {page}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert_well_formed(answer.html());
        }
    }
    fixture.undecided(&before, "another method").await;
}

#[tokio::test]
async fn forged_truncated_and_unknown_links_and_addresses_get_the_same_response() {
    let fixture = Fixture::new().await;
    let before = fixture.item().await;
    let good = fixture.link(0);
    let (payload, signature) = good.split_once('.').unwrap();
    let forged = |payload: &str| format!("{}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(payload));
    let other_keys = Keys::parse(&secret(9, None)).unwrap();
    let mut foreign = Fixture::new().await;
    foreign.keys = other_keys;
    let ends_at = at(LINK_ENDS).as_second();
    let links = [
        String::new(),
        ".".to_owned(),
        payload.to_owned(),
        format!("{payload}."),
        format!(".{signature}"),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}="),
        good.to_uppercase(),
        // Another approver, another end, another post, under a signature that was seen.
        forged(&format!("{POST}/1/1/{ends_at}")),
        forged(&format!("{POST}/1/0/9999999999")),
        forged(&format!("spooky-days/2026-10-31/1/1/0/{ends_at}")),
        forged(&format!("{POST}/1/0/{ends_at}/approve")),
        format!("{payload}.{}", BASE64_URL_SAFE_NO_PAD.encode([0; 32])),
        format!("{payload}.{}", BASE64_URL_SAFE_NO_PAD.encode([0; 0])),
        foreign.link(0),
        // The post's name, which can be guessed.
        POST.to_owned(),
        format!("{POST}/1"),
        // Well signed, but there is no such post, round or approver, or it is for the picture.
        fixture.link_of(Purpose::Decide, "spooky-days/2026-10-31/1", 1, 0, LINK_ENDS),
        fixture.link_of(Purpose::Decide, "spooky-days/2026-10-30/2", 1, 0, LINK_ENDS),
        fixture.link_of(Purpose::Decide, "other-bot/2026-10-30/1", 1, 0, LINK_ENDS),
        fixture.link_of(Purpose::Decide, POST, 2, 0, LINK_ENDS),
        fixture.link_of(Purpose::Decide, POST, 0, 0, LINK_ENDS),
        fixture.link(2),
        fixture.link(usize::MAX),
        fixture.link_of(Purpose::Show, POST, 1, 0, LINK_ENDS),
        "A".repeat(60_000),
        format!("{good}{}", "A".repeat(10_000)),
    ];
    let mut paths: Vec<String> = links.iter().map(|link| format!("/review/{link}")).collect();
    paths.extend([
        "/".to_owned(),
        String::new(),
        "/review".to_owned(),
        "/favicon.ico".to_owned(),
        "/robots.txt".to_owned(),
        format!("/{good}"),
        format!("/REVIEW/{good}"),
        format!("/reviews/{good}"),
        format!("/approve/{good}"),
        format!("//review/{good}"),
        format!("/review//{good}"),
        format!("/review/{good}/"),
        format!("/review/{good}/approve"),
        format!("/review%2F{good}"),
        format!("/review/./{good}"),
        format!("/review/../review/{good}"),
        format!("/x/../review/{good}"),
        format!("/review/{good}%00"),
        format!("/review/{good}%0d%0aset-cookie:%20a=b"),
        format!("/review/{good};approve"),
        // The link of the page shows no picture.
        format!("/picture/{good}"),
        format!("/thumbnail/{good}"),
    ]);
    let unknown = fixture.get("/nothing").await;
    assert_eq!(unknown.status, 404);
    assert!(!unknown.html().contains("spooky-days"));
    let form = encoded(&fixture.approving(&good));
    for path in paths {
        for method in ["GET", "POST", "OPTIONS", "DELETE"] {
            let headers = [("content-type", FORM)];
            let answer = fixture.ask(1, method, &path, &headers, &form).await;
            let shown: String = path.chars().take(200).collect();
            assert!(answer == unknown, "{method} {shown}: {answer:?}");
        }
    }
    fixture.undecided(&before, "a forged link").await;
    assert_eq!(
        fixture.refusals().await,
        [""; 0],
        "the audit trail names no approver"
    );
}

#[tokio::test]
async fn no_change_of_a_bit_or_of_the_length_of_a_link_decides() {
    let fixture = Fixture::new().await;
    let before = fixture.item().await;
    let good = fixture.link(0);
    let unknown = fixture.get("/nothing").await;
    let strategy = (any::<prop::sample::Index>(), 0..7u32, any::<bool>());
    let mut cases = Vec::new();
    let mut runner = TestRunner::default();
    for _ in 0..300 {
        cases.push(strategy.new_tree(&mut runner).unwrap().current());
    }
    for (at, bit, is_cut) in cases {
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if is_cut {
            bytes.truncate(at);
        }
        let link = String::from_utf8(bytes).unwrap();
        let form = fixture.approving(&link);
        let answer = fixture.post(1, &link, &form).await;
        assert!(answer == unknown, "{link}: {answer:?}");
    }
    fixture.undecided(&before, "a changed link").await;
}

#[tokio::test]
async fn a_query_changes_nothing_about_an_address() {
    let fixture = Fixture::new().await;
    let before = fixture.item().await;
    let link = fixture.link(0);
    let plain = fixture.get(&format!("/review/{link}")).await;
    for query in [
        "answer=approve",
        "form=x&content=y",
        "x=%0d%0aset-cookie:a",
        "%00",
        "a&a&a",
    ] {
        let got = fixture.get(&format!("/review/{link}?{query}")).await;
        assert_eq!(got, plain, "{query}");
    }
    // Not even a form in the query counts.
    let form = String::from_utf8(encoded(&fixture.approving(&link))).unwrap();
    let path = format!("/review/{link}?{form}");
    let answer = fixture
        .ask(1, "POST", &path, &[("content-type", FORM)], b"")
        .await;
    assert_eq!(answer.status, 403);
    fixture.undecided(&before, "a query").await;
}

#[tokio::test]
async fn a_link_is_valid_until_its_expiry_and_not_a_second_longer() {
    let fixture =
        Fixture::with(|approval| approval.closes_at = at(2 * LINK_ENDS).as_second()).await;
    let before = fixture.item().await;
    let link = fixture.link(0);
    let get = async |seconds| {
        let path = format!("/review/{link}");
        fixture.ask(seconds, "GET", &path, &[], b"").await
    };
    assert_eq!(get(LINK_ENDS - 1).await.status, 200);
    let over = get(LINK_ENDS).await;
    assert_eq!(over.status, 410);
    assert!(
        over.says().contains("This link has expired"),
        "{}",
        over.says()
    );
    assert!(!over.html().contains(POST));
    let form = fixture.approving(&link);
    assert_eq!(fixture.post(LINK_ENDS, &link, &form).await, over);
    let show = fixture.link_of(Purpose::Show, POST, 1, 0, LINK_ENDS);
    let picture = format!("/picture/{show}");
    let answer = fixture.ask(LINK_ENDS, "GET", &picture, &[], b"").await;
    assert_eq!(answer, over);
    fixture.undecided(&before, "a link that is over").await;
}

#[tokio::test]
async fn links_stay_valid_during_a_key_rotation_and_not_after() {
    let mut fixture = Fixture::new().await;
    let old = fixture.link(0);
    let old_form = fixture.approving(&old);
    let get = async |fixture: &Fixture, seconds, link: &str| {
        let path = format!("/review/{link}");
        fixture
            .ask(seconds, "GET", &path, &[], b"")
            .await
            .status
            .as_u16()
    };
    assert_eq!(get(&fixture, 0, &old).await, 200);
    fixture.set_secret(&secret(2, Some(1))).await;
    fixture.keys = Keys::parse(&secret(2, Some(1))).unwrap();
    let new = fixture.link(0);
    // Keys that were read a moment ago are not read again for every guess, but soon.
    assert_eq!(get(&fixture, 60, &new).await, 200);
    assert_eq!(get(&fixture, 60, &old).await, 200);
    // The form of a page from before the change is good as long as its link.
    let nothing = changed(&old_form, "caption", "");
    assert_eq!(fixture.post(61, &old, &nothing).await.status, 422);
    let before = fixture.item().await;
    fixture.set_secret(&secret(2, None)).await;
    assert_eq!(get(&fixture, 1000, &old).await, 404);
    assert_eq!(fixture.post(1000, &old, &old_form).await.status, 404);
    fixture.undecided(&before, "a key that was dropped").await;
    assert_eq!(get(&fixture, 1000, &new).await, 200);
    // The form of the old page is no use under the new link either.
    assert_eq!(fixture.post(1001, &new, &old_form).await.status, 403);
    fixture
        .undecided(&before, "a form of a key that was dropped")
        .await;
    assert_eq!(
        fixture
            .post(1002, &new, &fixture.approving(&new))
            .await
            .status,
        303
    );
}

#[tokio::test]
async fn forged_links_do_not_read_the_secret_each_time() {
    let fixture = Fixture::new().await;
    let good = fixture.link(0);
    assert_eq!(fixture.get(&format!("/review/{good}")).await.status, 200);
    // Nothing can be read any more, and nothing has to be.
    fixture.delete_secret().await;
    for guess in 0..20 {
        let answer = fixture.get(&format!("/review/{guess}.{guess}")).await;
        assert_eq!(answer.status, 404);
    }
    assert_eq!(fixture.get(&format!("/review/{good}")).await.status, 200);
}

#[tokio::test]
async fn the_binary_responds_to_an_invalid_address_as_to_an_unknown_one() {
    let fixture = Fixture::new().await;
    let paths = [
        "/nothing",
        "",
        "/%",
        "/review/a b",
        "/review/\r\nset-cookie: a=b",
        "/review/\u{1F47B}",
        "/review/a\u{0}",
        "/\"<script>",
    ];
    let mut events: Vec<Value> = paths
        .into_iter()
        .map(|path| event("GET", path, &[], b""))
        .collect();
    events.push(event(
        "GET",
        &format!("/review/{}", fixture.link(0)),
        &[],
        b"",
    ));
    let mut answers = answered(&fixture, &events).await;
    // Whatever the clock says of the approval, its link is known.
    let known = answers.pop().unwrap();
    assert!(!known.is_error, "{known:?}");
    assert!([200, 410].contains(&known.body["statusCode"].as_u64().unwrap()));
    let unknown = answers[0].clone();
    assert!(!unknown.is_error && unknown.body["statusCode"] == 404);
    for (answer, asked) in answers.iter().zip(paths) {
        assert_eq!(answer, &unknown, "{asked:?}");
    }
}
