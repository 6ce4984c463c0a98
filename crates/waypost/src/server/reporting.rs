//! What `intake` and `transport` find goes to `reports`.

use intake::Checked;
use mailauth::report::is_report;
use mailauth::report::tls::Session;
use reports::{Arrived, Reports};
use store::clock;

pub(super) struct Reporter(pub(super) Reports);

impl intake::Reporter for Reporter {
    fn checked(&self, checked: &Checked<'_>) {
        let facts = checked.facts;
        let Some(evaluation) = &facts.dmarc else { return };
        let arrived = Arrived {
            ip: facts.ip,
            evaluation,
            spf: facts.spf(),
            dkim: &facts.signed.dkim,
            mail_from: checked.reverse_path.address().and_then(address::Address::domain),
            done: checked.done,
            is_report: is_report(checked.header),
            now: clock::seconds(),
        };
        self.0.count_message(&arrived);
        self.0.report_failure(&arrived, checked.header, checked.results);
    }
}

impl transport::TlsLog for Reporter {
    fn record(&self, session: Session) {
        self.0.count_session(session, clock::seconds());
    }
}
