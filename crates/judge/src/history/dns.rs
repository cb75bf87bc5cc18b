//! DNS queries.

use super::{History, NAMESPACE};
use crate::evidence::{Checkpoint, Dns, DnsAnswer, DnsRecord, Transport, What};

impl History {
    /// Queries every server for a name over both transports from two namespaces; all answers have these addresses.
    pub fn asked(&mut self, checkpoint: &Checkpoint, name: &str, addresses: &[String]) {
        self.asked_for(checkpoint, "A", name, addresses);
    }

    /// Queries every server for a name's records of a type; all answers have this data.
    pub fn asked_for(&mut self, checkpoint: &Checkpoint, record_type: &str, name: &str, data: &[String]) {
        let [one, other] = self.dns_servers;
        for (server, from) in [(one, NAMESPACE), (one, "default"), (other, NAMESPACE), (other, "default")] {
            for transport in [Transport::Udp, Transport::Tcp] {
                let rcode = if data.is_empty() { "NXDOMAIN" } else { "NOERROR" }.to_owned();
                let records = data.iter().map(|data| DnsRecord { ttl: 30, data: data.clone() }).collect();
                self.push(What::Dns(Dns {
                    checkpoint: checkpoint.clone(),
                    from: from.into(),
                    server: server.into(),
                    address: "10.96.0.2".into(),
                    transport,
                    name: name.into(),
                    record_type: record_type.into(),
                    took_us: 300,
                    answer: DnsAnswer::Response { rcode, records },
                }));
            }
        }
    }

    /// Queries every server for a pod's name; the answers have its address, or NXDOMAIN if there is no such pod.
    pub fn asked_for_pod(&mut self, checkpoint: &Checkpoint, name: &str) {
        let addresses: Vec<String> = self.address(name).into_iter().collect();
        self.asked(checkpoint, &self.subject.fqdn(name), &addresses);
    }

    /// Queries every server for the Service; the answers have the addresses of all pods.
    pub fn asked_for_service(&mut self, checkpoint: &Checkpoint) {
        let addresses: Vec<String> = self.subject.pods().filter_map(|pod| self.address(&pod)).collect();
        self.asked(checkpoint, &self.subject.service_fqdn(), &addresses);
    }
}
