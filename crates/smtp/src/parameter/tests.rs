use super::*;
use proptest::prelude::*;

/// A parameter list, and how it is written again or why it is refused.
fn check_mail(input: &str, expected: Result<&str, &str>) {
    let found = MailParameters::parse(input).map(|p| p.to_string()).map_err(|e| e.to_string());
    assert_eq!(found.as_deref().map(str::trim_start).map_err(String::as_str), expected, "{input:?}");
}

fn check_rcpt(input: &str, expected: Result<&str, &str>) {
    let found = RcptParameters::parse(input).map(|p| p.to_string()).map_err(|e| e.to_string());
    assert_eq!(found.as_deref().map(str::trim_start).map_err(String::as_str), expected, "{input:?}");
}

#[test]
fn parameters_of_mail() {
    check_mail("", Ok(""));
    check_mail("size=1000 body=8bitmime SMTPUTF8", Ok("SIZE=1000 BODY=8BITMIME SMTPUTF8"));
    check_mail("SIZE=99999999999999999999", Ok("SIZE=18446744073709551615"));
    check_mail("AUTH=<>", Ok("AUTH=<>"));
    check_mail("AUTH=<a@b.example>", Ok("AUTH=a@b.example"));
    check_mail("AUTH=e+3Dmc2@example.com", Ok("AUTH=e+3Dmc2@example.com"));
    check_mail("RET=hdrs ENVID=QQ+2B314159", Ok("RET=HDRS ENVID=QQ+2B314159"));
    check_mail("BY=-120;nt", Ok("BY=-120;NT"));
    check_mail("BY=+120;R MT-PRIORITY=-3 REQUIRETLS", Ok("REQUIRETLS BY=120;R MT-PRIORITY=-3"));
    check_mail("HOLDFOR=86400", Ok("HOLDFOR=86400"));
    check_mail("HOLDUNTIL=2030-01-31T08:00:00Z", Ok("HOLDUNTIL=2030-01-31T08:00:00Z"));
}

#[test]
fn parameters_of_mail_that_are_refused() {
    let by = "BY must be like 3600;R or -60;NT";
    let until = "HOLDUNTIL must be a time in UTC like 2030-01-31T08:00:00Z";
    let envid = "ENVID must be xtext of at most 100 octets";
    check_mail("FOO=bar", Err("the parameter \"FOO\" is not known here"));
    check_mail("SIZE=1 SIZE=2", Err("the parameter SIZE is given twice"));
    check_mail("SIZE", Err("SIZE must be a number of octets"));
    check_mail("SIZE=-1", Err("SIZE must be a number of octets"));
    check_mail("BODY=9BIT", Err("BODY must be 7BIT, 8BITMIME or BINARYMIME"));
    check_mail("SMTPUTF8=yes", Err("SMTPUTF8 must be given without a value"));
    check_mail("REQUIRETLS REQUIRETLS", Err("the parameter REQUIRETLS is given twice"));
    check_mail("AUTH=a=b", Err("AUTH must be <> or an address in xtext"));
    check_mail("AUTH=+0D+0A", Err("AUTH must be <> or an address in xtext"));
    check_mail("RET=NONE", Err("RET must be FULL or HDRS"));
    check_mail("ENVID=", Err(envid));
    check_mail("ENVID=+4", Err(envid));
    check_mail(&format!("ENVID={}", "a".repeat(101)), Err(envid));
    check_mail(
        "BY=0;R",
        Err("BY must be seconds;N or seconds;R, R with more than 0 seconds, then perhaps T"),
    );
    check_mail("BY=1234567890;N", Err(by));
    check_mail("BY=10", Err(by));
    check_mail("HOLDFOR=0", Err("HOLDFOR must be 1 to 999999999 seconds"));
    check_mail("HOLDUNTIL=2030-01-31 08:00:00Z", Err(until));
    check_mail("HOLDUNTIL=2030-01-31T08:00:00+01:00", Err(until));
    check_mail("HOLDUNTIL=2030-02-31T08:00:00Z", Err(until));
    check_mail(
        "HOLDFOR=1 HOLDUNTIL=2030-01-31T08:00:00Z",
        Err("the parameter HOLDFOR or HOLDUNTIL is given twice"),
    );
    check_mail("MT-PRIORITY=10", Err("MT-PRIORITY must be -9 to 9"));
    check_mail("MT-PRIORITY=-0", Err("MT-PRIORITY must be -9 to 9"));
    check_mail("MT-PRIORITY=+1", Err("MT-PRIORITY must be -9 to 9"));
}

#[test]
fn parameters_of_rcpt() {
    check_rcpt("notify=never", Ok("NOTIFY=NEVER"));
    check_rcpt("NOTIFY=DELAY,SUCCESS", Ok("NOTIFY=SUCCESS,DELAY"));
    check_rcpt("ORCPT=RFC822;Bob+2Bx@Example.COM", Ok("ORCPT=RFC822;Bob+2Bx@Example.COM"));
    check_rcpt("ORCPT=utf-8;zo\\x{EB}@example.org", Ok("ORCPT=utf-8;zo\\x{EB}@example.org"));
    check_rcpt("ORCPT=utf-8;zoë@example.org", Ok("ORCPT=utf-8;zo\\x{EB}@example.org"));

    let notify = Err("NOTIFY must be NEVER, or of SUCCESS,FAILURE,DELAY");
    let orcpt = Err("ORCPT must be type;address, in xtext, of at most 500 octets");
    check_rcpt("NOTIFY=NEVER,DELAY", notify);
    check_rcpt("NOTIFY=", notify);
    check_rcpt("ORCPT=a@b.example", orcpt);
    check_rcpt("ORCPT=rfc822;", orcpt);
    check_rcpt("ORCPT=rfc822;a+0Ab", orcpt);
    check_rcpt("ORCPT=utf-8;a\\x{A}b", orcpt);
    check_rcpt("ORCPT=utf-8;a\\x{D800}b", orcpt);
    check_rcpt(&format!("ORCPT=rfc822;{}", "a".repeat(500)), orcpt);
    check_rcpt("SIZE=1", Err("the parameter \"SIZE\" is not known here"));
}

proptest! {
    #[test]
    fn xtext_round_trips(value in "[^\\p{Cc}]{0,40}") {
        let encoded = encode_xtext(&value);
        prop_assert!(encoded.bytes().all(|b| (b'!'..=b'~').contains(&b) && b != b'='));
        prop_assert_eq!(decode_xtext(&encoded), Some(value));
    }

    #[test]
    fn what_is_read_is_written_so_that_it_reads_the_same(text in
        "((SIZE|BODY|AUTH|RET|ENVID|BY|HOLDFOR|MT-PRIORITY|SMTPUTF8)(=(FULL|7BIT|-?[0-9]{1,9}(;[NR]T?)?|[!-~]{1,12}))? ){0,3}")
    {
        if let Ok(parameters) = MailParameters::parse(&text) {
            let written = parameters.to_string();
            prop_assert!(written.is_ascii());
            prop_assert_eq!(MailParameters::parse(&written), Ok(parameters));
        }
    }

    #[test]
    fn original_recipients_round_trip(kind in "rfc822|utf-8|x400", address in "[^\\p{Cc}]{1,60}") {
        if let Ok(orcpt) = OriginalRecipient::new(&kind, &address) {
            prop_assert_eq!(orcpt.to_string().parse(), Ok(orcpt));
        }
    }
}

#[test]
fn time_goes_by() {
    let left = |by: &str, seconds| by.parse::<DeliverBy>().unwrap().after(seconds).map(|by| by.to_string());
    assert_eq!(left("60;RT", 22).as_deref(), Some("38;RT"));
    assert_eq!(left("60;R", 60), None);
    assert_eq!(left("60;N", 90).as_deref(), Some("-30;N"));
    assert_eq!(left("-999999999;N", u64::MAX).as_deref(), Some("-999999999;N"));
}
