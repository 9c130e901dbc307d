//! Tokens that mails carry: sealed while they wait, gone when they went, and sent to nobody who is not to have them.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait as _, Statement};
use sitewatch_domain::{
    mail::{Content, Delivery, DeliveryState, Invitation, NewMail, PasswordReset},
    text::Secret,
};
use sitewatch_tests::{
    smtp::{Answer, Arrived, SmtpSink},
    world::{SUPERUSER, World},
};

use crate::{
    mail::{AtWork, PATIENCE, post, send, until, world},
    plant::{Kind, system},
};

const TOKEN: &str = "dGhlIHRva2VuIG9mIHRoaXMgbWFpbA-_";

fn reset(recipient: &str) -> NewMail {
    let content = Content::PasswordReset(PasswordReset { path: "/reset-password".into(), minutes: 30 });
    let recipient = recipient.parse().expect("an address");
    let secret = Some(Secret::new(TOKEN.to_owned()));
    NewMail { secret, ..NewMail::new(recipient, "reset".into(), content) }
}

fn invitation(recipient: &str) -> NewMail {
    let content = Content::Invitation(Invitation {
        organization: "A".into(),
        inviter: "Ada".into(),
        path: "/invitation".into(),
        hours: 72,
    });
    let secret = Some(Secret::new(TOKEN.to_owned()));
    NewMail { secret, ..NewMail::new(recipient.parse().expect("an address"), "invitation".into(), content) }
}

/// Whether the token stands anywhere in the rows of mails and jobs.
async fn is_in_clear(world: &World) -> bool {
    let database = sea_orm::Database::connect(world.database_url()).await.expect("a connection");
    let backend = database.get_database_backend();
    let mut found = false;
    for (sql, columns) in [
        ("SELECT CAST(params AS text) AS a, secret_sealed AS b FROM deliveries", &["a", "b"][..]),
        ("SELECT CAST(payload AS text) AS a FROM jobs", &["a"][..]),
    ] {
        for row in database.query_all_raw(Statement::from_string(backend, sql)).await.expect(sql) {
            for column in columns {
                let bytes = match row.try_get::<Option<String>>("", column) {
                    Ok(text) => text.unwrap_or_default().into_bytes(),
                    Err(_) => row.try_get::<Option<Vec<u8>>>("", column).expect("bytes").unwrap_or_default(),
                };
                found |= bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes());
            }
        }
    }
    found
}

/// The text of a mail as its reader sees it.
pub fn read(arrived: &Arrived) -> String {
    arrived.text.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=")
}

async fn found(world: &World, mail: &NewMail) -> Delivery {
    world.platform.mail().find(&system(), &mail.dedupe_key).await.expect("a delivery")
}

pub async fn a_token_is_sealed_while_it_waits_and_forgotten_when_it_went(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let mail = reset(SUPERUSER.0);
    sink.script(SUPERUSER.0, &[Answer::ToRecipient("451 4.3.0 later, please")]);
    send(&world, &mail).await;
    let waiting = found(&world, &mail).await;
    assert!(waiting.sealed_secret.is_some() && !is_in_clear(&world).await);
    // It is sealed for this mail: whoever copies it into a row of his own opens nothing.
    let other =
        Delivery { id: "018f0000-0000-7000-8000-000000000001".parse().expect("an id"), ..waiting.clone() };
    assert_eq!(world.platform.mail().secret_of(&waiting).expect("opened").expose(), TOKEN);
    assert!(world.platform.mail().secret_of(&other).is_none());
    let worker = AtWork::on(&world, post(&sink, ""));
    let sent = until(&world, &mail, DeliveryState::Sent, PATIENCE).await;
    worker.stop().await;
    assert_eq!(
        (sent.attempts, sent.sealed_secret.is_some()),
        (2, false),
        "kept until it went, and no longer"
    );
    let arrived = sink.arrived();
    assert_eq!(arrived.len(), 1);
    let link = format!("https://sitewatch.example.org/reset-password#token={TOKEN}");
    assert!(read(&arrived[0]).contains(&link), "{}", arrived[0].text);
    assert!(!is_in_clear(&world).await);
}

pub async fn a_token_that_is_given_up_is_forgotten(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let mail = invitation("new@example.org");
    sink.script("new@example.org", &[Answer::ToMail("554 5.6.0 not here")]);
    send(&world, &mail).await;
    let worker = AtWork::on(&world, post(&sink, ""));
    let failed = until(&world, &mail, DeliveryState::Failed, PATIENCE).await;
    worker.stop().await;
    assert!(failed.sealed_secret.is_none());
}

pub async fn a_way_to_a_new_password_goes_to_the_users_own_address_in_time(kind: Arc<Kind>) {
    let (world, sink) = (world(*kind).await, SmtpSink::start().await);
    let late = NewMail {
        dedupe_key: "late".into(),
        good_until: Some(world.platform.now().minus(Duration::from_secs(1))),
        ..reset(SUPERUSER.0)
    };
    let astray = reset("nobody@example.org");
    // An invitation goes to somebody who is no user yet.
    let invited = invitation("new@example.org");
    for mail in [&late, &astray, &invited] {
        send(&world, mail).await;
    }
    let worker = AtWork::on(&world, post(&sink, ""));
    for mail in [&late, &astray] {
        let withheld = until(&world, mail, DeliveryState::Suppressed, PATIENCE).await;
        assert!(withheld.sealed_secret.is_none() && withheld.last_error.is_some());
    }
    until(&world, &invited, DeliveryState::Sent, PATIENCE).await;
    worker.stop().await;
    let arrived: Vec<String> = sink.arrived().into_iter().map(|mail| mail.to).collect();
    assert_eq!(arrived, ["new@example.org"]);
}
