//! How a line looks: as text or as JSON, which a reload may change.

use crate::config::LogFormat;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

static JSON: AtomicBool = AtomicBool::new(false);
static COLOURED: AtomicBool = AtomicBool::new(false);

/// From the next line on. JSON has no colours.
pub(super) fn set(format: LogFormat, coloured: bool) {
    JSON.store(format == LogFormat::Json, Ordering::Relaxed);
    COLOURED.store(coloured, Ordering::Relaxed);
}

pub(super) struct Form {
    plain: Format,
    coloured: Format,
    json: Format<Json>,
}

impl Form {
    pub(super) fn new() -> Self {
        Self {
            plain: Format::default().with_ansi(false),
            coloured: Format::default().with_ansi(true),
            // We have no spans: their fields would have to be written in one form or the other when they begin.
            json: Format::default().json().flatten_event(true).with_current_span(false).with_span_list(false),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match (JSON.load(Ordering::Relaxed), COLOURED.load(Ordering::Relaxed)) {
            (true, _) => self.json.format_event(context, writer, event),
            (false, true) => self.coloured.format_event(context, writer, event),
            (false, false) => self.plain.format_event(context, writer, event),
        }
    }
}
