//! The JSON that programs rely on: keys stay.

use super::*;
use crate::{alias, mail, queue, system, trail};
use serde_json::Value;

/// The value with its numbers, texts and ids replaced by what they are.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
        Value::Array(list) => format!("[{}]", list.first().map(shape).unwrap_or_default()),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}: {}", shape(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

#[tokio::test]
async fn answers_keep_their_shape() {
    let folder = tempfile::tempdir().unwrap();
    let operations = installed(folder.path()).await;
    deliver(&operations, b"Subject: x\r\n\r\ny\r\n").await;
    let id = enqueue(&operations, &["a@far.example"]).await;
    let (me, inbox) = (address("me@example.org"), INBOX.to_owned());
    root(&operations, alias::Add { alias: address("info@example.org"), targets: vec![me.clone()] })
        .await
        .unwrap();
    let app = account::AddAppPassword { address: me.clone(), name: "phone".into() };
    let certificate =
        account::AddCertificate { address: me.clone(), fingerprint: account::Fingerprint::from([7; 32]) };

    check(&operations, domain::List {}, "[{accounts: number, alias_of: null, catch_all: null, dkim_selectors: [text], domain: text, kind: text, language: null, quota: null, recipients: null, relay_to: null, used_bytes: number}]").await;
    let status = domain::dkim::Status { domain: "example.org".parse().unwrap() };
    check(&operations, status, "{domain: text, keys: [{algorithm: text, name: text, next: text, record: {name: text, purpose: text, type: text, value: text}, seen: text, selector: text, servers: [], since: number, stage: text}]}").await;
    check(&operations, app, "{name: text, password: text}").await;
    check(&operations, certificate, "{created: number, fingerprint: text}").await;
    check(&operations, account::Show { address: me.clone() }, "{address: text, aliases: [text], app_passwords: [text], certificates: [text], created: number, disabled: bool, has_password: bool, language: null, name: null, quota: null, used_bytes: number, used_messages: number}").await;
    check(&operations, alias::List { domain: None }, "[{alias: text, targets: [text]}]").await;
    check(&operations, queue::Summarize {}, "[{destination: text, messages: number, oldest: number, reason: null, recipients: number, state: text}]").await;
    check(&operations, queue::Show { id }, "{id: text, origin: {message_id: text, session: text, via: text}, parameters: text, received: number, recipients: [{address: text, attempts: number, next_attempt: number, reason: null, state: text}], sender: text, size: number}").await;
    check(
        &operations,
        mail::Folders { account: me.clone() },
        "[{messages: number, name: text, role: null, unseen: number}]",
    )
    .await;
    check(&operations, mail::List { account: me, folder: inbox, before: None, limit: 9 }, "[{date: text, flags: [], from: text, id: text, received: number, size: number, subject: text, to: text, uid: number}]").await;
    check(&operations, trail::Find { subject: trail::Subject::Message(id), since: None, limit: 9 }, "[{at: number, events: [{at: number, delivered: [], event: text, from: text, message: text, origin: {message_id: text, session: text, via: text}, recipients: [text], size: number}], from: text, id: text, message_id: text, recipients: [{at: number, detail: null, fate: text, next_attempt: number, recipient: text}]}]").await;
    check(&operations, system::Status {}, "{connections: null, disk_free: number, disk_size: number, queue: {bytes: number, held: number, messages: number, recipients: number}, running: bool, tasks: null, trouble: null, uptime_seconds: null}").await;
    check(&operations, system::CheckStore {}, "{ok: bool, problems: []}").await;
    check(&operations, system::SearchStatus {}, "{copies: number, trouble: null, waiting: number}").await;
}

async fn check<O: Operation>(operations: &Operations, operation: O, expected: &str) {
    let answer = root(operations, operation).await.unwrap();
    assert_eq!(shape(&serde_json::to_value(answer).unwrap()), expected);
}
