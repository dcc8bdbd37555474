//! Forms: which ones decide, which ones do not, and the responses.

use approvals::link::{Keys, Purpose};
use aws_config::retry::RetryConfig;
use posts_table::{OnExpiry, Operator, SlotChange, Verdict, content_hash};
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::header};

use crate::fixture::*;

/// The headers of a request.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// What a form is, the status it gets, its headers and its bytes.
type Row<'a> = (&'a str, u16, Vec<(&'a str, &'a str)>, Vec<u8>);

#[tokio::test]
async fn a_form_that_is_sent_again_is_refused_and_shows_the_decision() {
    for (fields, says) in [
        (
            vec![
                ("answer", "approve"),
                ("caption", CAPTION),
                ("altText", ALT_TEXT),
            ],
            "Approved by owner@example.org",
        ),
        (
            vec![("answer", "regenerate"), ("note", "More fog")],
            "Another picture was requested by owner@example.org",
        ),
        (
            vec![("answer", "reject"), ("reason", "Too sad")],
            "Rejected by owner@example.org",
        ),
    ] {
        let fixture = Fixture::new().await;
        let (owner, friend) = (fixture.link(0), fixture.link(1));
        let mut form = fixture.form(&owner);
        form.extend(
            fields
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let counts = fixture.post(1, &owner, &form).await;
        assert_eq!(counts.status, 303, "{says}: {}", counts.says());
        assert_eq!(
            counts.header("location"),
            Some(format!("{BASE}/review/{owner}").as_str())
        );
        let (status, output) = fixture.ended().await;
        assert_eq!(status, "SUCCEEDED", "{says}");
        let decided = fixture.approval().await;
        let decision = decided.decision.clone().unwrap();
        assert_eq!(output, Some(json!(decision)));
        assert_eq!((decision.by.as_str(), decision.at), (OWNER, at(1)));
        assert!(decided.delivered_at.is_some());
        let before = fixture.item().await;
        for (link, form) in [
            (&owner, form.clone()),
            (&owner, fixture.approving(&owner)),
            (&friend, fixture.approving(&friend)),
        ] {
            let again = fixture.post(2, link, &form).await;
            assert_eq!(again.status, 409);
            assert!(again.says().contains("Your decision was not recorded"));
            assert!(again.says().contains(says), "{}", again.says());
        }
        assert_eq!(fixture.item().await, before, "{says}");
        assert_eq!(
            fixture.refusals().await.len(),
            1,
            "the same second is one line"
        );
        for link in [&owner, &friend] {
            let page = fixture.get(&format!("/review/{link}")).await;
            assert_eq!(page.status, 200);
            assert!(page.says().contains(says), "{}", page.says());
            assert!(!page.html().contains("<form"), "{says}");
            assert_well_formed(page.html());
        }
    }
}

#[tokio::test]
async fn a_form_that_is_not_from_the_page_decides_nothing_and_is_audited() {
    let fixture = Fixture::new().await;
    let before = fixture.item().await;
    let link = fixture.link(0);
    let good = fixture.approving(&link);
    let bytes = encoded(&good);
    let with = |name, value: &str| encoded(&changed(&good, name, value));
    let other_round = fixture.link_of(Purpose::Decide, POST, 2, 0, LINK_ENDS);
    let old_hash = content_hash("0", CAPTION, ALT_TEXT);
    let old_keys = Keys::parse(&secret(9, None)).unwrap();
    let twice = |field: &str| [&bytes[..], format!("&{field}").as_bytes()].concat();
    let without = |name: &str| {
        let mut form = good.clone();
        form.retain(|(there, _)| *there != name);
        encoded(&form)
    };
    let kind = ("content-type", FORM);
    let rows: Vec<Row> = vec![
        ("no body", 403, vec![kind], Vec::new()),
        ("no form value", 403, vec![kind], without("form")),
        ("an empty form value", 403, vec![kind], with("form", "")),
        (
            "a foreign form value",
            403,
            vec![kind],
            with(
                "form",
                &old_keys.form_value(&link, &approval().presented_hash),
            ),
        ),
        (
            "the form value of another approver",
            403,
            vec![kind],
            with(
                "form",
                &fixture
                    .keys
                    .form_value(&fixture.link(1), &approval().presented_hash),
            ),
        ),
        (
            "the form value of another round",
            403,
            vec![kind],
            with(
                "form",
                &fixture
                    .keys
                    .form_value(&other_round, &approval().presented_hash),
            ),
        ),
        (
            "the form value of other content",
            403,
            vec![kind],
            with("form", &fixture.keys.form_value(&link, &old_hash)),
        ),
        (
            "the link as form value",
            403,
            vec![kind],
            with("form", link.split_once('.').unwrap().1),
        ),
        ("another hash", 403, vec![kind], with("content", &old_hash)),
        ("no hash", 403, vec![kind], without("content")),
        ("no answer", 400, vec![kind], without("answer")),
        (
            "an unknown answer",
            400,
            vec![kind],
            with("answer", "Approve"),
        ),
        (
            "a long answer",
            400,
            vec![kind],
            with("answer", &"x".repeat(20_000)),
        ),
        (
            "two answers in one",
            400,
            vec![kind],
            with("answer", "approve,reject"),
        ),
        ("a second answer", 400, vec![kind], twice("answer=reject")),
        ("a second caption", 400, vec![kind], twice("caption=other")),
        ("a second form value", 400, vec![kind], twice("form=x")),
        (
            "a foreign origin",
            403,
            vec![kind, ("origin", "https://evil.example")],
            bytes.clone(),
        ),
        (
            "our host under another scheme",
            403,
            vec![kind, ("origin", "http://review.example")],
            bytes.clone(),
        ),
        (
            "our host at another port",
            403,
            vec![kind, ("origin", "https://review.example:8443")],
            bytes.clone(),
        ),
        (
            "an origin that begins like ours",
            403,
            vec![kind, ("origin", "https://review.example.evil.example")],
            bytes.clone(),
        ),
        (
            "an empty origin",
            403,
            vec![kind, ("origin", "")],
            bytes.clone(),
        ),
        (
            "another site",
            403,
            vec![kind, ("sec-fetch-site", "cross-site")],
            bytes.clone(),
        ),
        (
            "the same site",
            403,
            vec![kind, ("sec-fetch-site", "same-site")],
            bytes.clone(),
        ),
        (
            "another site without an origin",
            403,
            vec![kind, ("origin", "null"), ("sec-fetch-site", "cross-site")],
            bytes.clone(),
        ),
        ("no content type", 415, vec![], bytes.clone()),
        (
            "text",
            415,
            vec![("content-type", "text/plain")],
            bytes.clone(),
        ),
        (
            "JSON",
            415,
            vec![("content-type", "application/json")],
            br#"{"answer": "approve"}"#.to_vec(),
        ),
        (
            "parts",
            415,
            vec![("content-type", "multipart/form-data; boundary=x")],
            bytes.clone(),
        ),
        (
            "a kind that begins like a form",
            415,
            vec![("content-type", "application/x-www-form-urlencoded-not")],
            bytes.clone(),
        ),
        (
            "what is not UTF-8",
            400,
            vec![kind],
            without("caption")
                .into_iter()
                .chain(*b"&caption=\xFF\xFE")
                .collect(),
        ),
        (
            "what is not UTF-8 when decoded",
            400,
            vec![kind],
            without("caption")
                .into_iter()
                .chain(*b"&caption=%FF")
                .collect(),
        ),
        (
            "half a character",
            400,
            vec![kind],
            without("caption")
                .into_iter()
                .chain(*b"&caption=a%F0%9F%91&x=%BB")
                .collect(),
        ),
        ("too much", 413, vec![kind], padded(&bytes, 32 * 1024 + 1)),
        ("far too much", 413, vec![kind], padded(&bytes, 5_000_000)),
    ];
    let mut statuses = Vec::new();
    for (i, (what, status, headers, body)) in rows.iter().enumerate() {
        let path = format!("/review/{link}");
        let answer = fixture
            .ask(1 + i as i64, "POST", &path, headers, body)
            .await;
        statuses.push((*what, answer.status.as_u16() == *status, answer.status));
        assert!(!answer.html().contains(POST), "{what}");
        assert_well_formed(answer.html());
        let refusals = fixture.refusals().await;
        assert_eq!(refusals.len(), i + 1, "{what} is on record: {refusals:?}");
    }
    let wrong: Vec<_> = statuses
        .iter()
        .filter(|(_, is_right, _)| !is_right)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    fixture
        .undecided(&before, "a form that is not from the page")
        .await;
    for line in fixture.audit().await {
        let line = line.details.to_string();
        assert!(!line.contains(&link) && line.len() < 1000, "{line}");
    }
    // The same form without any of this is good.
    assert_eq!(fixture.post(100, &link, &good).await.status, 303);
}

/// The same form with an unused field, so that it has this length.
fn padded(form: &[u8], length: usize) -> Vec<u8> {
    let mut padded = [form, b"&padding="].concat();
    padded.resize(length, b'x');
    padded
}

#[tokio::test]
async fn a_valid_form_is_accepted_with_every_header_that_browsers_send() {
    let rows: [(&str, Headers, usize); 6] = [
        ("no origin, as old browsers", &[("content-type", FORM)], 0),
        (
            "no referrer, so no origin",
            &[
                ("content-type", FORM),
                ("origin", "null"),
                ("sec-fetch-site", "same-origin"),
            ],
            0,
        ),
        (
            "our origin",
            &[
                ("content-type", FORM),
                ("origin", BASE),
                ("sec-fetch-site", "same-origin"),
            ],
            0,
        ),
        (
            "a charset",
            &[(
                "content-type",
                "application/x-www-form-urlencoded; charset=UTF-8",
            )],
            0,
        ),
        (
            "a null origin alone",
            &[("content-type", FORM), ("origin", "null")],
            0,
        ),
        (
            "exactly as much as fits",
            &[("content-type", FORM)],
            32 * 1024,
        ),
    ];
    for (what, headers, length) in rows {
        let fixture = Fixture::new().await;
        let link = fixture.link(0);
        let mut form = encoded(&fixture.approving(&link));
        if length > 0 {
            form = padded(&form, length);
        }
        let path = format!("/review/{link}");
        let answer = fixture.ask(1, "POST", &path, headers, &form).await;
        assert_eq!(answer.status, 303, "{what}: {}", answer.says());
        assert_eq!(fixture.ended().await.0, "SUCCEEDED", "{what}");
    }
}

#[tokio::test]
async fn the_base_address_can_have_a_port_and_a_path() {
    let mut fixture = Fixture::new().await;
    fixture.config.review_base_url = "http://review.localhost:4566/api/".to_owned();
    let link = fixture.link(0);
    let path = format!("/review/{link}");
    let page = fixture.get(&path).await;
    let show = fixture.link_of(Purpose::Show, POST, 1, 0, LINK_ENDS);
    let picture = format!("http://review.localhost:4566/api/picture/{show}");
    assert!(page.html().contains(&picture), "{}", page.html());
    let form = encoded(&fixture.approving(&link));
    for (origin, status) in [
        ("http://review.localhost:4566/api", 403),
        ("http://review.localhost", 403),
        ("http://review.localhost:4566", 303),
    ] {
        let headers = [("content-type", FORM), ("origin", origin)];
        let answer = fixture.ask(1, "POST", &path, &headers, &form).await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_page_of_older_content_or_of_an_older_round_decides_nothing_about_the_new_one() {
    let fixture = Fixture::new().await;
    let link = fixture.link(0);
    let old_form = fixture.approving(&link);
    let mut other = approval();
    other.caption = "Another caption".to_owned();
    other.presented_hash = hash_of(&other);
    other.opened_at = at(10);
    fixture.open(&other).await;
    let before = fixture.item().await;
    let stale = fixture.post(11, &link, &old_form).await;
    assert_eq!(stale.status, 409);
    assert!(
        stale.says().contains("There is a newer picture"),
        "{}",
        stale.says()
    );
    assert_eq!(fixture.item().await, before);
    assert_eq!(fixture.refusals().await, ["the content has changed"]);
    // A new round has an approval of its own; the old page decides the old one, if anything.
    let mut next = approval();
    next.round = 2;
    next.image.sha256 = "1".repeat(64);
    next.presented_hash = hash_of(&next);
    fixture.open(&next).await;
    let table = &fixture.clients.decision.table;
    fixture.post(12, &link, &old_form).await;
    let next_one = table.approval(&fixture.post, 2).await.unwrap().unwrap();
    assert_eq!(next_one.decision, None);
    // Nor does the old form do so under the new link.
    let new_link = fixture.link_of(Purpose::Decide, POST, 2, 0, LINK_ENDS);
    assert_eq!(fixture.post(13, &new_link, &old_form).await.status, 403);
    let next_one = table.approval(&fixture.post, 2).await.unwrap().unwrap();
    assert_eq!(next_one.decision, None);
}

#[tokio::test]
async fn of_two_simultaneous_decisions_the_first_wins_and_the_second_is_refused() {
    for round in 0..12 {
        let fixture = Fixture::new().await;
        let (owner, friend) = (fixture.link(0), fixture.link(1));
        let mut reject = fixture.form(&friend);
        reject.push(("answer", "reject".to_owned()));
        reject.push(("reason", "Not today".to_owned()));
        let approve = fixture.approving(&owner);
        let first = fixture.post(1, &owner, &approve);
        let second = fixture.post(1, &friend, &reject);
        // The one that is polled first is not always the same.
        let (first, second) = match round % 2 {
            0 => tokio::join!(first, second),
            _ => {
                let (second, first) = tokio::join!(second, first);
                (first, second)
            }
        };
        let decision = fixture.approval().await.decision.unwrap();
        let (winner, loser, told) = match decision.by.as_str() {
            OWNER => (first, second, "Approved by owner@example.org"),
            _ => (second, first, "Rejected by friend@example.org"),
        };
        assert_eq!(winner.status, 303, "{round}");
        assert_eq!(loser.status, 409, "{round}: {}", loser.says());
        assert!(loser.says().contains(told), "{round}: {}", loser.says());
        assert_eq!(
            fixture.ended().await,
            ("SUCCEEDED".to_owned(), Some(json!(decision)))
        );
        let lines = fixture.audit().await;
        let count = |what: &str| {
            let named = lines.iter().filter(|line| line.what.to_string() == what);
            named.count()
        };
        assert_eq!(
            (count("decided"), count("answer-refused")),
            (1, 1),
            "{round}"
        );
    }
}

#[tokio::test]
async fn a_decision_is_accepted_until_the_deadline_and_then_the_policy_applies() {
    for (on_timeout, says) in [
        (
            OnExpiry::Skip,
            "There was no decision before the deadline. Nothing is posted",
        ),
        (
            OnExpiry::Post,
            "Approved by the bot's policy, after the deadline",
        ),
    ] {
        let fixture = Fixture::with(|approval| approval.on_timeout = on_timeout).await;
        let before = fixture.item().await;
        let link = fixture.link(0);
        let path = format!("/review/{link}");
        // A GET settles nothing.
        let late = fixture.ask(DEADLINE, "GET", &path, &[], b"").await;
        assert_eq!(late.status, 410);
        assert!(late.says().contains("Decisions are closed"));
        fixture.undecided(&before, "a late look").await;
        // A POST applies the policy.
        let form = fixture.approving(&link);
        let form = changed(&form, "caption", "Mine!");
        let answer = fixture.post(DEADLINE, &link, &form).await;
        assert_eq!(answer.status, 410, "{}", answer.says());
        let settled = fixture.approval().await;
        let decision = settled.decision.unwrap();
        assert_eq!(decision.by, "policy");
        assert_eq!(
            fixture.ended().await,
            ("SUCCEEDED".to_owned(), Some(json!(decision)))
        );
        if let Verdict::Approved { caption, hash, .. } = &decision.verdict {
            assert_eq!((caption.as_str(), hash), (CAPTION, &settled.presented_hash));
        }
        let page = fixture.ask(DEADLINE + 1, "GET", &path, &[], b"").await;
        assert_eq!(page.status, 200);
        assert!(page.says().contains(says), "{}", page.says());
        assert_eq!(fixture.refusals().await, ["decisions are closed"]);
    }
    let fixture = Fixture::new().await;
    let link = fixture.link(0);
    let last = fixture
        .post(DEADLINE - 1, &link, &fixture.approving(&link))
        .await;
    assert_eq!(last.status, 303);
}

#[tokio::test]
async fn the_page_of_a_paused_bot_decides_nothing() {
    let fixture = Fixture::new().await;
    fixture.pause("<b>storm</b> & more").await;
    let before = fixture.item().await;
    let link = fixture.link(0);
    let page = fixture.get(&format!("/review/{link}")).await;
    assert_eq!(page.status, 200);
    assert!(page.html().contains("&lt;b&gt;storm&lt;/b&gt; &amp; more"));
    assert!(!page.html().contains("<form") && !page.html().contains("<b>storm"));
    assert_well_formed(page.html());
    let form = fixture.approving(&link);
    let answer = fixture.post(1, &link, &form).await;
    assert_eq!(answer.status, 423);
    assert!(answer.says().contains("The bot is paused"));
    assert_well_formed(answer.html());
    fixture.undecided(&before, "a paused bot").await;
    assert_eq!(fixture.refusals().await, ["the bot is paused"]);
}

#[tokio::test]
async fn an_ended_or_missing_execution_leaves_nothing_to_decide() {
    let fixture = Fixture::new().await;
    fixture.stop().await;
    let before = fixture.item().await;
    let link = fixture.link(0);
    let page = fixture.get(&format!("/review/{link}")).await;
    let answer = fixture.post(1, &link, &fixture.approving(&link)).await;
    for answer in [&page, &answer] {
        assert_eq!(answer.status, 410);
        assert!(
            answer.says().contains("has ended (ABORTED)"),
            "{}",
            answer.says()
        );
    }
    assert_eq!(fixture.item().await, before);
    assert_eq!(fixture.refusals().await, ["the execution has ended"]);

    let fixture = Fixture::new().await;
    let gone = fixture.execution.replace("daily-post", "no-such-machine");
    let table = &fixture.clients.decision.table;
    let operator = Operator {
        by: "operator".to_owned(),
        reason: None,
    };
    let handed = table
        .hand_over(&fixture.post, &fixture.execution, &gone, &operator, at(1))
        .await
        .unwrap();
    assert!(matches!(handed, SlotChange::Made), "{handed:?}");
    let before = fixture.item().await;
    let link = fixture.link(0);
    let answer = fixture.post(2, &link, &fixture.approving(&link)).await;
    assert_eq!(answer.status, 410);
    assert!(
        answer.says().contains("has ended (gone)"),
        "{}",
        answer.says()
    );
    fixture
        .undecided(&before, "an execution that is gone")
        .await;
}

#[tokio::test]
async fn an_undelivered_decision_stays_and_the_next_post_delivers_it() {
    let mut fixture = Fixture::new().await;
    let broken = MockServer::start().await;
    let running = json!({
        "executionArn": fixture.execution,
        "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:daily-post",
        "status": "RUNNING",
        "startDate": 1_793_354_400,
    });
    Mock::given(header("x-amz-target", "AWSStepFunctions.DescribeExecution"))
        .respond_with(ResponseTemplate::new(200).set_body_json(running))
        .mount(&broken)
        .await;
    Mock::given(header("x-amz-target", "AWSStepFunctions.SendTaskSuccess"))
        .respond_with(ResponseTemplate::new(500))
        .expect(1)
        .mount(&broken)
        .await;
    let aws = fixture.aws.clone().into_builder();
    let aws = aws
        .endpoint_url(broken.uri())
        .retry_config(RetryConfig::disabled());
    let real = std::mem::replace(
        &mut fixture.clients.decision.sfn,
        aws_sdk_sfn::Client::new(&aws.build()),
    );
    let link = fixture.link(0);
    let form = fixture.approving(&link);
    assert_eq!(fixture.post(1, &link, &form).await.status, 303);
    fixture.clients.decision.sfn = real;
    let decided = fixture.approval().await;
    assert!(decided.decision.is_some() && decided.delivered_at.is_none());
    assert_eq!(fixture.status().await.0, "RUNNING");
    // A GET delivers nothing; the next POST does.
    assert_eq!(fixture.get(&format!("/review/{link}")).await.status, 200);
    assert_eq!(fixture.status().await.0, "RUNNING");
    assert_eq!(fixture.post(2, &link, &form).await.status, 409);
    let output = json!(decided.decision);
    assert_eq!(
        fixture.ended().await,
        ("SUCCEEDED".to_owned(), Some(output))
    );
    assert!(fixture.approval().await.delivered_at.is_some());
}

#[tokio::test]
async fn after_the_last_picture_another_one_is_refused() {
    let fixture = Fixture::with(|approval| approval.round = 4).await;
    let link = fixture.link_of(Purpose::Decide, POST, 4, 0, LINK_ENDS);
    let page = fixture.get(&format!("/review/{link}")).await;
    assert!(
        page.says().contains("All four pictures are used"),
        "{}",
        page.says()
    );
    assert!(!page.html().contains("value=\"regenerate\""));
    let hash = approval().presented_hash;
    let form = [
        ("form", fixture.keys.form_value(&link, &hash)),
        ("content", hash),
        ("answer", "regenerate".to_owned()),
        ("caption", "Mine".to_owned()),
    ];
    let answer = fixture.post(1, &link, &form).await;
    assert_eq!(answer.status, 422);
    assert_eq!(field(answer.html(), "caption").1, "\nMine");
    assert!(answer.says().contains("approve this one or reject it"));
    let table = &fixture.clients.decision.table;
    let there = table.approval(&fixture.post, 4).await.unwrap().unwrap();
    assert_eq!(there.decision, None);
}

#[tokio::test]
async fn edited_texts_are_normalized_and_stored_with_their_hash() {
    let fixture = Fixture::new().await;
    let link = fixture.link(0);
    let form = fixture.approving(&link);
    let form = changed(&form, "caption", "  Two lines\r\nof mine \r\n");
    let form = changed(&form, "altText", "A \"ghost\" & <friends>");
    assert_eq!(fixture.post(1, &link, &form).await.status, 303);
    let (caption, alt_text) = ("Two lines\nof mine", "A \"ghost\" & <friends>");
    let approval = fixture.approval().await;
    let verdict = approval.decision.unwrap().verdict;
    assert_eq!(
        verdict,
        Verdict::Approved {
            caption: caption.to_owned(),
            alt_text: alt_text.to_owned(),
            hash: content_hash(&approval.image.sha256, caption, alt_text),
        }
    );
    assert_eq!(
        (approval.caption.as_str(), approval.alt_text.as_str()),
        (CAPTION, ALT_TEXT)
    );
}
