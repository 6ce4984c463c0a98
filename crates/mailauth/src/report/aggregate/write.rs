//! Writing the XML.

use super::tree::writable;
use super::{Aggregate, DkimResult, NAMESPACE, PolicyPublished, Record, SpfResult};
use crate::dmarc::{Override, Policy};
use quick_xml::escape::partial_escape;
use std::fmt::Write;

impl Aggregate {
    /// The report as XML, its elements in the order of RFC 9990's schema.
    pub fn to_xml(&self) -> String {
        let mut xml = Xml { out: String::new(), depth: 0 };
        xml.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        xml.group_with("feedback", &format!(" xmlns=\"{NAMESPACE}\""), |xml| {
            xml.text("version", "1.0");
            xml.group("report_metadata", |xml| self.metadata(xml));
            xml.group("policy_published", |xml| self.published.write(xml));
            for record in &self.records {
                xml.group("record", |xml| record.write(xml));
            }
        });
        xml.out
    }

    fn metadata(&self, xml: &mut Xml) {
        xml.text("org_name", &self.organization);
        xml.text("email", &self.email);
        xml.optional("extra_contact_info", self.extra_contact.as_deref());
        xml.text("report_id", &self.report_id);
        xml.group("date_range", |xml| {
            xml.text("begin", &self.begin.to_string());
            xml.text("end", &self.end.to_string());
        });
        // The schema has one element at most.
        let errors = self.errors.join("; ");
        xml.optional("error", Some(errors.as_str()).filter(|errors| !errors.is_empty()));
        xml.optional("generator", self.generator.as_deref());
    }
}

impl PolicyPublished {
    fn write(&self, xml: &mut Xml) {
        xml.text("domain", self.domain.as_str());
        if self.tree_walk {
            xml.text("discovery_method", "treewalk");
        }
        xml.text("p", self.p.as_str());
        xml.optional("sp", self.sp.map(Policy::as_str));
        xml.optional("np", self.np.map(Policy::as_str));
        xml.optional("fo", self.fo.as_deref());
        xml.text("adkim", self.adkim.letter());
        xml.text("aspf", self.aspf.letter());
        xml.text("testing", if self.testing { "y" } else { "n" });
    }
}

impl Record {
    fn write(&self, xml: &mut Xml) {
        xml.group("row", |xml| {
            xml.text("source_ip", &self.source_ip.to_string());
            xml.text("count", &self.count.to_string());
            xml.group("policy_evaluated", |xml| {
                let word = |aligned| if aligned { "pass" } else { "fail" };
                xml.text("disposition", self.disposition.as_str());
                xml.text("dkim", word(self.dkim_aligned));
                xml.text("spf", word(self.spf_aligned));
                self.reasons.iter().for_each(|reason| write_reason(xml, reason));
            });
        });
        xml.group("identifiers", |xml| {
            xml.text("header_from", &self.header_from);
            xml.optional("envelope_from", self.envelope_from.as_deref());
            xml.optional("envelope_to", self.envelope_to.as_deref());
        });
        xml.group("auth_results", |xml| {
            self.dkim.iter().for_each(|result| xml.group("dkim", |xml| result.write(xml)));
            if let Some(result) = &self.spf {
                xml.group("spf", |xml| result.write(xml));
            }
        });
    }
}

fn write_reason(xml: &mut Xml, reason: &Override) {
    xml.group("reason", |xml| {
        xml.text("type", reason.kind.as_str());
        xml.optional("comment", Some(reason.comment.as_str()).filter(|comment| !comment.is_empty()));
    });
}

impl DkimResult {
    fn write(&self, xml: &mut Xml) {
        xml.text("domain", &self.domain);
        xml.text("selector", &self.selector);
        xml.text("result", self.verdict.as_str());
        xml.optional("human_result", self.human_result.as_deref());
    }
}

impl SpfResult {
    fn write(&self, xml: &mut Xml) {
        xml.text("domain", &self.domain);
        xml.text("scope", "mfrom");
        xml.text("result", self.verdict.as_str());
        xml.optional("human_result", self.human_result.as_deref());
    }
}

/// Elements, indented.
struct Xml {
    out: String,
    depth: usize,
}

impl Xml {
    fn group(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.group_with(name, "", content);
    }

    fn group_with(&mut self, name: &str, attributes: &str, content: impl FnOnce(&mut Self)) {
        self.line(format_args!("<{name}{attributes}>"));
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.line(format_args!("</{name}>"));
    }

    fn text(&mut self, name: &str, text: &str) {
        let clean: String = text.chars().map(writable).collect();
        self.line(format_args!("<{name}>{}</{name}>", partial_escape(clean.as_str())));
    }

    fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{:indent$}{line}", "", indent = self.depth * 2);
    }
}
