//! Blanking hides what chance decides, and nothing else.

use super::blank::blank;
use super::transcript;

const SLICES: &str = "\
NAME                    ADDRESSTYPE   PORTS   ENDPOINTS                          AGE
example-service-7hk2v   IPv4          9376    10.244.1.2,10.244.2.2,10.244.3.2   5s
example-service-b4zzx   IPv6          9376    fd00:1::2,fd00:2::2,fd00:3::2      5s
";

#[test]
fn names_addresses_and_ages_become_words() {
    let expected = "\
NAME                     ADDRESSTYPE   PORTS   ENDPOINTS                       AGE
example-service-<id-1>   IPv4          9376    <ip-1>,<ip-2>,<ip-3>      <age>
example-service-<id-2>   IPv6          9376    <ip6-1>,<ip6-2>,<ip6-3>   <age>
";
    let blanked = blank("kubectl get endpointslices", SLICES);
    assert_eq!(
        blanked.split_whitespace().collect::<Vec<_>>(),
        expected.split_whitespace().collect::<Vec<_>>()
    );
}

#[test]
fn chance_makes_no_difference() {
    let other = "\
NAME                    ADDRESSTYPE   PORTS   ENDPOINTS                          AGE
example-service-2bbbb   IPv6          9376    fd00:9::2,fd00:8::2,fd00:7::2      2m5s
example-service-zzzzz   IPv4          9376    10.244.9.2,10.244.8.7,10.244.7.2   2m5s
";
    let command = "kubectl get endpointslices";
    assert_eq!(blank(command, SLICES), blank(command, other));
}

#[test]
fn every_other_difference_is_one() {
    let command = "kubectl get endpointslices";
    let right = blank(command, SLICES);
    for (field, wrong) in [
        ("9376    10", "9377    10"),
        ("IPv4 ", "FQDN "),
        ("PORTS", "PORT "),
        ("10.244.2.2", "10.244.1.2"),
        ("10.244.2.2,", ""),
        ("example-service-7hk2v", "example-other-7hk2v"),
        ("example-service-7hk2v", "example-service-b4zzx"),
        ("10.244.3.2   5s", "10.244.3.2 + 1 more...   5s"),
        ("fd00:3::2 ", "fd00:3:2  "),
        ("fd00:1::2", "10.244.1.9"),
    ] {
        let changed = SLICES.replace(field, wrong);
        assert_ne!(changed, SLICES);
        assert_ne!(blank(command, &changed), right, "{field} as {wrong}");
    }
}

#[test]
fn descriptions_keep_what_does_not_move() {
    let text = "\
Name:         example-service-7hk2v
Annotations:  endpoints.kubernetes.io/last-change-trigger-time: 2026-11-27T11:34:02Z
AddressType:  IPv4
Endpoints:
  - Addresses:  10.244.1.2
    Conditions:
      Ready:    true
    Hostname:   <unset>
    TargetRef:  Pod/example-6b7f9c4d59-x2x2x
    NodeName:   node-0002
    Zone:       zone-b
Events:         <none>
";
    let blanked = blank("kubectl describe endpointslices", text);
    let expected = "\
Name:         example-service-<id-1>
Annotations:  <none>
AddressType:  IPv4
Endpoints:
  - Addresses:  <ip-1>
    Conditions:
      Ready:    true
    Hostname:   <unset>
    TargetRef:  Pod/example-<hash-1>-<id-2>
    NodeName:   <node>
    Zone:       <zone>
Events:         <none>
";

    assert_eq!(blanked, expected);
}

#[test]
fn a_transcript_is_written_as_it_was_read() {
    for file in transcript::all() {
        let text = std::fs::read_to_string(&file).expect("read it");
        assert_eq!(transcript::write(&transcript::read(&text)), text, "{}", file.display());
    }
}
