//! The page itself: what it shows, that it can be used by everybody, that text stays text, and its headers.

use approvals::link::Purpose;
use aws_sdk_dynamodb::types::AttributeValue;
use posts_table::{Decision, Verdict};
use review::Clients;

use crate::fixture::*;

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let fixture = Fixture::new().await;
    let link = fixture.link(0);
    let show = fixture.link_of(Purpose::Show, POST, 1, 0, LINK_ENDS);
    let form = fixture.approving(&link);
    let mut answers = vec![
        fixture.get(&format!("/review/{link}")).await,
        fixture.get(&format!("/picture/{show}")).await,
        fixture.get("/").await,
        fixture
            .ask(1, "PUT", &format!("/review/{link}"), &[], b"")
            .await,
        fixture
            .ask(1, "POST", &format!("/review/{link}"), &[], b"")
            .await,
        fixture
            .ask(LINK_ENDS, "GET", &format!("/review/{link}"), &[], b"")
            .await,
        fixture.post(1, &link, &changed(&form, "answer", "")).await,
        fixture.post(1, &link, &changed(&form, "form", "")).await,
        fixture.post(1, &link, &changed(&form, "caption", "")).await,
        fixture
            .ask(1, "POST", &format!("/review/{link}"), &[], &[b'x'; 40_000])
            .await,
        fixture.post(1, &link, &form).await,
        fixture.post(2, &link, &form).await,
    ];
    fixture.set_secret("{}").await;
    let fresh = Clients::new(&fixture.aws, &fixture.config);
    let path = format!("/review/{link}");
    answers.push(ask(&fresh, &fixture.config, 3, "GET", &path, &[], b"").await);
    let statuses: Vec<u16> = answers
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    assert_eq!(
        statuses,
        [
            200, 200, 404, 405, 415, 410, 400, 403, 422, 413, 303, 409, 503
        ]
    );
    for answer in &answers {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("x-robots-tag", "noindex, nofollow, noarchive"),
            ("strict-transport-security", "max-age=63072000"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{}", answer.status);
        }
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains("script"),
            "{policy}"
        );
        for name in ["set-cookie", "access-control-allow-origin", "server"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
        let kind = answer.header("content-type").unwrap();
        assert!(
            ["text/html; charset=utf-8", "image/jpeg"].contains(&kind),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn the_page_is_accessible_and_shows_what_will_be_posted() {
    let fixture = Fixture::new().await;
    let page = fixture.get(&format!("/review/{}", fixture.link(1))).await;
    let html = page.html();
    assert_well_formed(html);
    assert!(html.contains("<html lang=\"en\">"));
    assert!(
        html.contains("<title>National Candy Corn Day</title>"),
        "{html}"
    );
    assert!(html.contains("name=\"viewport\""));
    let show = fixture.link_of(Purpose::Show, POST, 1, 1, LINK_ENDS);
    assert!(html.contains(&format!(
        "<img src=\"{BASE}/picture/{show}\" alt=\"{ALT_TEXT}\">"
    )));
    for name in ["caption", "altText", "note", "reason"] {
        let (tag, _) = field(html, name);
        assert!(tag.contains(&format!("id=\"{name}\"")), "{tag}");
        assert!(html.contains(&format!("<label for=\"{name}\">")), "{name}");
        assert!(
            tag.contains(&format!("aria-describedby=\"{name}-hint\"")),
            "{tag}"
        );
        assert!(html.contains(&format!("id=\"{name}-hint\"")), "{name}");
        assert!(!tag.contains("aria-invalid"), "{tag}");
    }
    assert_eq!(field(html, "caption").1, format!("\n{CAPTION}"));
    assert_eq!(field(html, "altText").1, format!("\n{ALT_TEXT}"));
    let says = page.says();
    for part in [
        "spooky-days/2026-10-30/1",
        // The times are those of New York.
        "Will be posted on Friday 30 October 2026, 08:00 EDT",
        "Decide by Friday 30 October 2026, 10:00 EDT",
        "Without a decision by then, nothing is posted",
        "Weighted length: 46 of 280",
        "24 of 1000 characters",
        "A new picture costs about $0.05",
        "Three more left",
        "You decide as friend@example.org",
    ] {
        assert!(says.contains(part), "{part}: {says}");
    }
    // Internal values.
    let token = fixture.token().await.unwrap();
    assert!(!html.contains(&token) && !html.contains(OWNER) && !html.contains("taskToken"));
    assert!(!html.contains("<script") && !html.contains("javascript:"));
}

#[tokio::test]
async fn user_text_is_escaped_wherever_it_is_shown() {
    let evil = "\"><script>alert(1)</script>'<img src=x onerror=alert(1)>&amp;</textarea></title>\r\nSet-Cookie: a=b";
    // Only the operator's files have these, and they are escaped all the same.
    let fixture = Fixture::with(|approval| {
        approval.day = evil.to_owned();
        approval.caption = evil.to_owned();
        approval.alt_text = evil.to_owned();
        approval.approvers[0] = evil.to_owned();
        approval.presented_hash = hash_of(approval);
    })
    .await;
    let hash = fixture.approval().await.presented_hash;
    let link = fixture.link(0);
    let path = format!("/review/{link}");
    let form = |answer: &'static str, field: &'static str| {
        vec![
            ("form", fixture.keys.form_value(&link, &hash)),
            ("content", hash.clone()),
            ("answer", answer.to_owned()),
            (field, evil.to_owned()),
        ]
    };
    // A rejection without a reason comes back with everything else that was typed.
    let typed = |name: &'static str| {
        let mut form = form("reject", name);
        form.push(("padding", evil.to_owned()));
        form
    };
    let mut answers = vec![fixture.ask(1, "GET", &path, &[], b"").await];
    for name in ["caption", "altText", "note"] {
        answers.push(fixture.post(1, &link, &typed(name)).await);
    }
    answers.push(fixture.post(1, &link, &form(evil_answer(), "note")).await);
    fixture.pause(evil).await;
    answers.push(fixture.get(&path).await);
    answers.push(fixture.post(1, &link, &form("approve", "caption")).await);
    let dynamodb = aws_sdk_dynamodb::Client::new(&fixture.aws);
    let resume = dynamodb.delete_item().table_name("posts");
    let resume = resume.key("pk", AttributeValue::S("spooky-days#settings".to_owned()));
    let resume = resume.key("sk", AttributeValue::S("switch".to_owned()));
    resume.send().await.unwrap();
    answers.push(fixture.post(1, &link, &form("reject", "reason")).await);
    assert_eq!(answers.last().unwrap().status, 303);
    answers.push(fixture.get(&path).await);
    answers.push(fixture.post(2, &link, &form("reject", "reason")).await);
    // The other verdicts, as the page shows them.
    for verdict in [
        Verdict::Approved {
            caption: evil.to_owned(),
            alt_text: evil.to_owned(),
            hash: hash.clone(),
        },
        Verdict::Regenerate {
            note: evil.to_owned(),
        },
    ] {
        let other = Fixture::with(|approval| {
            approval.day = evil.to_owned();
            approval.alt_text = evil.to_owned();
        })
        .await;
        let decision = Decision {
            by: evil.to_owned(),
            at: at(1),
            verdict,
        };
        let table = &other.clients.decision.table;
        table
            .decide(&other.post, 1, &approval().presented_hash, &decision)
            .await
            .unwrap();
        answers.push(other.get(&format!("/review/{}", other.link(0))).await);
    }
    for (i, answer) in answers.iter().enumerate() {
        let html = answer.html();
        assert!(
            !html.contains("<script") && !html.contains("onerror=alert(1)>"),
            "{i}: {html}"
        );
        assert_well_formed(html);
        assert_eq!(answer.header("set-cookie"), None, "{i}");
        for (name, value) in &answer.headers {
            assert!(
                !value.contains("Set-Cookie") && !value.contains("script"),
                "{i}: {name}"
            );
        }
    }
    let shown = answers
        .iter()
        .filter(|answer| answer.html().contains("&lt;script&gt;"));
    assert!(shown.count() >= 8);
}

fn evil_answer() -> &'static str {
    "<script>alert(1)</script>"
}

#[tokio::test]
async fn invalid_texts_return_with_all_input_and_the_problem_beside_its_field() {
    let fixture = Fixture::new().await;
    let before = fixture.item().await;
    let link = fixture.link(0);
    let long = "x".repeat(1001);
    let many = "é".repeat(281);
    let rows: [(&str, &str, &str, &str, &str); 10] = [
        (
            "approve",
            "caption",
            "caption",
            &many,
            "It has a weighted length of 281, and X accepts at most 280.",
        ),
        ("approve", "caption", "caption", " \r\n ", "It is empty."),
        (
            "approve",
            "caption",
            "caption",
            "See example.com",
            "It contains the link &quot;example.com&quot;.",
        ),
        (
            "approve",
            "caption",
            "caption",
            "Hello @ghostwriter",
            "It mentions &quot;@ghostwriter&quot;.",
        ),
        ("approve", "altText", "altText", "", "It is empty."),
        (
            "approve",
            "altText",
            "altText",
            &long,
            "It has 1001 characters, and X accepts at most 1000.",
        ),
        (
            "regenerate",
            "note",
            "note",
            &long,
            "It must have at most 1000 characters (got 1001).",
        ),
        (
            "reject",
            "reason",
            "reason",
            "",
            "Enter a reason; it is kept in the record.",
        ),
        (
            "reject",
            "reason",
            "reason",
            "   ",
            "Enter a reason; it is kept in the record.",
        ),
        (
            "reject",
            "reason",
            "reason",
            &long,
            "It must have at most 1000 characters (got 1001).",
        ),
    ];
    for (answer, name, shown, value, problem) in rows {
        let mut form = fixture.form(&link);
        let typed = [
            ("caption", "A caption of mine\r\nin two lines"),
            ("altText", "An alt text of mine"),
            ("note", "A note of mine"),
            ("reason", "A reason of mine"),
        ];
        form.push(("answer", answer.to_owned()));
        for (field, text) in typed {
            let text = if field == name { value } else { text };
            form.push((field, text.to_owned()));
        }
        let page = fixture.post(1, &link, &form).await;
        let html = page.html();
        assert_eq!(page.status, 422, "{answer} {value}");
        assert_well_formed(html);
        assert!(html.contains("role=\"alert\""));
        for (field_name, text) in typed {
            let (tag, there) = field(html, field_name);
            let text = if field_name == name { value } else { text };
            assert_eq!(there, format!("\n{text}"), "{answer} {field_name}");
            let is_bad = tag.contains("aria-invalid=\"true\"");
            assert_eq!(is_bad, field_name == shown, "{answer} {field_name}: {tag}");
        }
        // The field says which element describes it, and that one holds the problem.
        let hint = format!("<div id=\"{shown}-hint\"><p class=\"problem\">{problem}</p>");
        assert!(html.contains(&hint), "{hint}: {html}");
        if ["note", "reason"].contains(&name) {
            let before = &html[..html.find(&format!("name=\"{name}\"")).unwrap()];
            let details = &before[before.rfind("<details").unwrap()..];
            assert!(details.starts_with("<details open"), "{name}: folded away");
        }
    }
    fixture
        .undecided(&before, "texts that cannot be posted")
        .await;
}

#[tokio::test]
async fn the_page_shows_the_lengths_that_are_checked() {
    let fixture = Fixture::new().await;
    let link = fixture.link(0);
    // A browser sends a line break as two characters, and white space at the ends is not posted.
    let mut form = fixture.form(&link);
    form.push(("answer", "approve".to_owned()));
    form.push(("caption", format!("  {}\r\n\r\n🎃\r\n", "x".repeat(280))));
    form.push(("altText", format!("{}\r\n👻", "y".repeat(1000))));
    let page = fixture.post(1, &link, &form).await;
    assert_eq!(page.status, 422);
    let says = page.says();
    for part in [
        "It has a weighted length of 284, and X accepts at most 280",
        "Weighted length: 284 of 280",
        "It has 1003 characters, and X accepts at most 1000",
        "1003 of 1000 characters",
    ] {
        assert!(says.contains(part), "{part}: {says}");
    }
}

#[tokio::test]
async fn a_too_large_picture_is_replaced_by_its_thumbnail_and_a_missing_one_is_not_found() {
    let rows = [
        (4_000_000, "picture", PICTURE),
        (4_000_001, "picture", THUMBNAIL),
        (1, "thumbnail", THUMBNAIL),
    ];
    for (bytes, page, expected) in rows {
        let fixture = Fixture::with(|approval| approval.image.bytes = bytes).await;
        let link = fixture.link_of(Purpose::Show, POST, 1, 0, LINK_ENDS);
        let answer = fixture.get(&format!("/{page}/{link}")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("image/jpeg"));
        assert_eq!(answer.body, expected, "{bytes} {page}");
    }
    let fixture = Fixture::with(|approval| approval.image.key = "pictures/lost".to_owned()).await;
    let show = fixture.link_of(Purpose::Show, POST, 1, 0, LINK_ENDS);
    let unknown = fixture.get("/nothing").await;
    assert_eq!(fixture.get(&format!("/picture/{show}")).await, unknown);
    // The page still works.
    let link = fixture.link(0);
    assert_eq!(fixture.get(&format!("/review/{link}")).await.status, 200);
    assert_eq!(
        fixture
            .post(1, &link, &fixture.approving(&link))
            .await
            .status,
        303
    );
}
