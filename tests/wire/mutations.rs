//! What is done to a request before it is sent.

use sitewatch_tests::random::Random;

use crate::requests::Request;

const METHODS: &[&[u8]] = &[
    b"get",
    b"TRACE",
    b"CONNECT",
    b"PROPFIND",
    b"G\0T",
    b"",
    b"GET GET",
    b"M-SEARCH",
    b"QUERY",
    b"\xff\xfe",
    b"PRI",
    b"*",
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];
const VERSIONS: &[&[u8]] = &[
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/1.2",
    b"HTTP/11",
    b"http/1.1",
    b"",
    b"HTTP/1.1 x",
    b"HTTP/9.9",
    b"ICY",
    b"HTTP/1.1\0",
];
/// What a path is cut up and put together with.
const PATH_BITS: &[&[u8]] = &[
    b"//",
    b"/./",
    b"/../",
    b"%2f",
    b"%2F..",
    b";x",
    b";jsessionid=1",
    b"%00",
    b"%",
    b"%zz",
    b"%c0%af",
    b"%ff",
    b"\\",
    b"\xff",
    b"\xc3\x28",
    b"#x",
    b"?",
    b"??a=b",
    b" ",
    b"\t",
    b"%20",
    b"http://evil.example/",
    b"*",
    b"%2e%2e%2f",
    b"/.",
    b"&a[]=1&a[]=2",
    b"%u0041",
    b"|",
];
const QUERY_BITS: &[&[u8]] = &[
    b"?page=0",
    b"?page=%00",
    b"?page=1&page=2",
    b"?q=%ff%fe",
    b"?sort=name;drop",
    b"?q=' OR 1=1--",
    b"?per_page=99999999999999999999",
    b"?cursor=%2b%2b",
    b"?created_at[gte]=2026-13-01",
    b"?include=a,,b",
    b"?=",
    b"?&&&",
    b"?a=b=c",
    b"?q=\xc3\xa9",
    b"?limit=-1",
];
const HEADERS: &[(&str, &[u8])] = &[
    ("Content-Length", b"0"),
    ("Content-Length", b"-1"),
    ("Content-Length", b"+5"),
    ("Content-Length", b"5, 5"),
    ("Content-Length", b"18446744073709551616"),
    ("Content-Length", b"99999999"),
    ("Content-Length", b"0x5"),
    ("Content-Length", b" 5 "),
    ("Transfer-Encoding", b"chunked"),
    ("Transfer-Encoding", b"identity"),
    ("Transfer-Encoding", b"gzip, chunked"),
    ("Transfer-Encoding", b"chunked, chunked"),
    ("Transfer-Encoding", b"xchunked"),
    ("Transfer-Encoding", b"\x0bchunked"),
    ("Transfer-Encoding ", b"chunked"),
    ("Expect", b"100-continue"),
    ("Expect", b"200-ok"),
    ("Upgrade", b"h2c"),
    ("Upgrade", b"websocket"),
    ("Connection", b"Upgrade, HTTP2-Settings"),
    ("Connection", b"close, keep-alive"),
    ("Connection", b"Authorization"),
    ("Host", b"evil.example"),
    ("Host", b""),
    ("Host", b"a b"),
    ("Host", b"\xff"),
    ("Content-Encoding", b"gzip"),
    ("Content-Encoding", b"br, gzip, zstd"),
    ("Content-Encoding", b"zstd"),
    ("Content-Encoding", b"nonsense"),
    ("Content-Type", b"text/plain"),
    ("Content-Type", b"application/json; charset=utf-16"),
    ("Content-Type", b"\xff/\xff"),
    ("Content-Type", b"multipart/form-data"),
    ("Accept", b"*/*;q=2"),
    ("Accept", b"application/problem+json"),
    ("Accept-Encoding", b"identity;q=0, *;q=0"),
    ("Accept-Encoding", b"\xff"),
    ("Authorization", b"Basic eDp5"),
    ("Authorization", b"Bearer"),
    ("Authorization", b"Bearer \xff"),
    ("Authorization", b"Bearer a.b.c"),
    ("X-API-Key", b"swk_x"),
    ("X-API-Version", b"9"),
    ("X-API-Version", b"\xff"),
    ("X-Request-ID", b"\xff\xfe"),
    ("X-Request-ID", b"a\0b"),
    ("X-Forwarded-For", b"1.2.3.4, \xff"),
    ("Forwarded", b"for=\"[::1\""),
    ("traceparent", b"00-00-00-00"),
    ("If-Match", b"*"),
    ("If-Match", b"W/\"\xff\""),
    ("If-None-Match", b"\"\", ,"),
    ("Idempotency-Key", b""),
    ("Idempotency-Key", b"\xff"),
    ("Range", b"bytes=5-1"),
    ("Range", b"bytes=0-,0-,0-"),
    ("Origin", b"null"),
    ("Origin", b"\xff"),
    ("Cookie", b"a=b; a=b; \xff"),
    ("If-Modified-Since", b"Thu, 99 Foo 9999 99:99:99 GMT"),
    ("", b"no name"),
    ("A B", b"space in the name"),
    ("X\0", b"NUL"),
    ("X", b"a\rb"),
    ("X", b"a\nb"),
    ("X", b"a\r\n folded"),
    ("Trailer", b"Content-Length"),
    ("TE", b"trailers"),
];
const BODIES: &[&[u8]] = &[
    b"",
    b"null",
    b"[]",
    b"{",
    b"{}{}",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0",
    b"{\"a\":\"\\ud800\"}",
    b"{\"name\":\"\\u0000\"}",
    b"1e999",
    b"\"",
    b"{\"readings\":[{\"value\":1e400}]}",
    b"{\"readings\":{}}",
    b"{\"readings\":[null]}",
    b"{\"name\":1,\"name\":2}",
    b"{\"name\":\"\xc3\x28\"}",
    b"module,metric,at,value\n\"",
    b"\x1f\x8b\x08\0\0\0\0\0",
    b"\x28\xb5\x2f\xfd\0",
    b"0\r\n\r\n",
    b"-1\r\n\r\n",
    b"5\r\nab",
    b"ffffffffffffffff\r\n",
    b"5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"0\r\nX: y\r\n\r\n",
    b"GET /health HTTP/1.1\r\n\r\n",
];
const EXTENSIONS: &[&str] = &[
    "",
    ";a",
    ";a=b",
    ";a=\"b;c\"",
    "; ",
    ";\0",
    "\t",
    ";aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "x",
];

/// Changes a request in one to three ways; what then goes over the wire.
pub fn mutated(request: Request, random: &mut Random) -> Vec<u8> {
    let mut request = request;
    for _ in 0..=random.below(3) {
        change(&mut request, random);
    }
    let mut bytes = request.bytes();
    if random.below(4) == 0 {
        damage(&mut bytes, random);
    }
    bytes
}

fn change(request: &mut Request, random: &mut Random) {
    match random.below(15) {
        0 => request.method = random.one_of(METHODS).to_vec(),
        1 => request.version = random.one_of(VERSIONS).to_vec(),
        2 | 3 => insert(&mut request.target, random.one_of(PATH_BITS), random),
        4 => request.target.extend_from_slice(random.one_of(QUERY_BITS)),
        5 => request.target.extend(std::iter::repeat_n(b'a', [100, 5_000, 20_000][random.below(3)])),
        6 | 7 => {
            let (name, value) = HEADERS[random.below(HEADERS.len())];
            request.push(name, value);
        }
        8 => {
            let (name, value) = HEADERS[random.below(HEADERS.len())];
            request.remove(name);
            request.push(name, value);
        }
        9 => repeat_a_header(request, random),
        10 => many_headers(request, random),
        11 => request.body = random.one_of(BODIES).to_vec(),
        12 => request.chunk(random.one_of(EXTENSIONS)),
        13 => request.line_end = [&b"\n"[..], b"\r", b"\r\r\n", b"\n\r"][random.below(4)],
        _ => request.body.extend(std::iter::repeat_n(b'{', [10, 1_000, 100_000][random.below(3)])),
    }
}

fn repeat_a_header(request: &mut Request, random: &mut Random) {
    let header = request.headers[random.below(request.headers.len())].clone();
    for _ in 0..=random.below(3) {
        request.headers.push(header.clone());
    }
}

fn many_headers(request: &mut Request, random: &mut Random) {
    if random.below(2) == 0 {
        for number in 0..[90, 200, 1_000][random.below(3)] {
            request.push(&format!("X-{number}"), "y");
        }
    } else {
        request.push("X-Long", vec![b'y'; [1_000, 9_000, 70_000, 200_000][random.below(4)]]);
    }
}

fn insert(target: &mut Vec<u8>, bit: &[u8], random: &mut Random) {
    let at = random.below(target.len() + 1);
    target.splice(at..at, bit.iter().copied());
}

/// Changes the bytes themselves: some are lost, doubled, replaced, or the end is missing.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(20)).min(bytes.len());
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes[at] = random.byte(),
        2 => bytes.drain(at..end).for_each(drop),
        3 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            let garbage: Vec<u8> = (0..20).map(|_| random.byte()).collect();
            bytes.splice(at..at, garbage);
        }
    }
}
