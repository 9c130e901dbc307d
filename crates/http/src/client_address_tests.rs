use actix_web::http::header::HeaderValue;

use super::*;

fn proxies(networks: &[&str]) -> TrustedProxies {
    TrustedProxies::within(networks.iter().map(|network| network.parse().expect("a network")).collect())
}

/// The client of a request from this peer with these header lines.
fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
    let mut headers = HeaderMap::new();
    for line in lines {
        let value = HeaderValue::from_bytes(line.as_bytes()).expect("a header");
        headers.append(FORWARDED_FOR, value);
    }
    let peer = SocketAddr::new(peer.parse().expect("an address"), 1234);
    proxies(trusted).client(Some(peer), &headers).expect("an address").to_string()
}

const OURS: &[&str] = &["10.0.0.0/8", "2001:db8:1::/48"];

#[test]
fn only_trusted_proxies_are_believed() {
    for (trusted, peer, lines, expected) in [
        (&[][..], "192.0.2.1", &["203.0.113.9"][..], "192.0.2.1"),
        (&[], "127.0.0.1", &["203.0.113.9"], "127.0.0.1"),
        (OURS, "192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
        (OURS, "11.0.0.1", &["203.0.113.9, 10.0.0.2"], "11.0.0.1"),
        (OURS, "10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
        (OURS, "10.0.0.1", &[], "10.0.0.1"),
        (OURS, "2001:db8:1::1", &["203.0.113.9"], "203.0.113.9"),
        (OURS, "2001:db8:2::1", &["203.0.113.9"], "2001:db8:2::1"),
    ] {
        assert_eq!(client(trusted, peer, lines), expected, "{trusted:?} {peer} {lines:?}");
    }
    assert_eq!(proxies(OURS).client(None, &HeaderMap::new()), None, "a socket without addresses");
}

#[test]
fn what_a_client_wrote_himself_is_not_reached() {
    for lines in [
        &["1.1.1.1, 203.0.113.9"][..],
        &["1.1.1.1", "203.0.113.9"],
        &["10.0.0.7, 203.0.113.9, 10.0.0.2"],
        &["10.0.0.7", "127.0.0.1", "203.0.113.9, 10.0.0.3", "10.0.0.2"],
        &["garbage, \u{e9}, <script>, 203.0.113.9"],
        &["\u{e9}", "203.0.113.9"],
        &["203.0.113.9,,"],
        &["1.1.1.1,203.0.113.9 ,\t10.0.0.2"],
    ] {
        assert_eq!(client(OURS, "10.0.0.1", lines), "203.0.113.9", "{lines:?}");
    }
    assert_eq!(client(OURS, "10.0.0.1", &["10.0.0.9, 10.0.0.2"]), "10.0.0.9", "one of our own asks");
}

#[test]
fn what_cannot_be_read_is_the_proxys_own_request() {
    for hop in [
        "garbage",
        "unknown",
        "_hidden",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "0x7f.0.0.1",
        "203.0.113.9:port",
        "203.0.113.9:99999",
        "[203.0.113.9]",
        "[2001:db8::1",
        "2001:db8::1]",
        "[2001:db8::1]x",
        "fe80::1%eth0",
        "\"203.0.113.9\"",
        "for=203.0.113.9",
        "203.0.113.9 10.0.0.2",
        "203.0.113.9;10.0.0.2",
        "localhost",
        "\u{e9}",
    ] {
        for line in [hop.to_owned(), format!("1.1.1.1, {hop}"), format!("{hop}, 10.0.0.2")] {
            assert_eq!(client(OURS, "10.0.0.1", &[&line]), "10.0.0.1", "{line}");
        }
    }
}

#[test]
fn addresses_come_in_every_form() {
    for (hop, expected) in [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ("::ffff:10.0.0.2", "10.0.0.2"),
    ] {
        assert_eq!(client(OURS, "10.0.0.1", &[hop]), expected, "{hop}");
    }
    assert_eq!(
        client(OURS, "::ffff:10.0.0.1", &["203.0.113.9"]),
        "203.0.113.9",
        "a socket for both families"
    );
    assert_eq!(client(OURS, "::ffff:192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
}
