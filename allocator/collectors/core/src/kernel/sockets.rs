//! Sockets: `/proc/net/sockstat` and the TCP tables.
//!
//! Invariants: memory in bytes; a state that the kernel adds later is counted in the total only.
//! Not here: which process owns a socket.

use super::number;

/// The page size that `/proc/net/sockstat` counts memory in.
const PAGE_BYTES: u64 = 4096;

/// `/proc/net/sockstat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SockStat {
    /// TCP memory in bytes.
    pub tcp_memory: u64,
    /// TCP sockets without a process.
    pub tcp_orphan: u64,
    /// UDP sockets.
    pub udp_in_use: u64,
    /// UDP memory in bytes.
    pub udp_memory: u64,
}

/// Reads `/proc/net/sockstat` (or `sockstat6`, whose keys end in 6).
pub fn sockstat(text: &str) -> SockStat {
    let mut stat = SockStat::default();
    for line in text.lines() {
        let Some((protocol, rest)) = line.split_once(':') else {
            continue;
        };
        let mut words = rest.split_ascii_whitespace();
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            let Some(value) = number(value) else { continue };
            match (protocol, key) {
                ("TCP", "mem") => stat.tcp_memory = value.saturating_mul(PAGE_BYTES),
                ("TCP", "orphan") => stat.tcp_orphan = value,
                ("UDP" | "UDP6", "inuse") => stat.udp_in_use = value,
                ("UDP", "mem") => stat.udp_memory = value.saturating_mul(PAGE_BYTES),
                _ => {}
            }
        }
    }
    stat
}

/// TCP sockets by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpStates {
    /// Every socket.
    pub count: u64,
    /// Connected.
    pub established: u64,
    /// Opening, ours.
    pub syn_sent: u64,
    /// Opening, theirs.
    pub syn_recv: u64,
    /// Closing, our turn.
    pub fin_wait1: u64,
    /// Closing, their turn.
    pub fin_wait2: u64,
    /// Waiting for stragglers.
    pub time_wait: u64,
    /// Closed by the peer, not by us.
    pub close_wait: u64,
    /// Waiting for the last acknowledgement.
    pub last_ack: u64,
    /// Waiting for connections.
    pub listening: u64,
    /// Both closed at once.
    pub closing: u64,
}

impl TcpStates {
    /// Adds the sockets of another table.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.established += other.established;
        self.syn_sent += other.syn_sent;
        self.syn_recv += other.syn_recv;
        self.fin_wait1 += other.fin_wait1;
        self.fin_wait2 += other.fin_wait2;
        self.time_wait += other.time_wait;
        self.close_wait += other.close_wait;
        self.last_ack += other.last_ack;
        self.listening += other.listening;
        self.closing += other.closing;
    }
}

/// Counts the sockets of `/proc/net/tcp` or `tcp6`.
pub fn tcp_states(text: &str) -> TcpStates {
    let mut states = TcpStates::default();
    for line in text.lines().skip(1) {
        let Some(state) = line.split_ascii_whitespace().nth(3) else {
            continue;
        };
        let Ok(state) = u8::from_str_radix(state, 16) else {
            continue;
        };
        states.count += 1;
        match state {
            1 => states.established += 1,
            2 => states.syn_sent += 1,
            // 12 is NEW_SYN_RECV: a connection request, not yet a socket.
            3 | 12 => states.syn_recv += 1,
            4 => states.fin_wait1 += 1,
            5 => states.fin_wait2 += 1,
            6 => states.time_wait += 1,
            8 => states.close_wait += 1,
            9 => states.last_ack += 1,
            10 => states.listening += 1,
            11 => states.closing += 1,
            _ => {}
        }
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_counted_by_state() {
        let text = "  sl  local_address rem_address   st tx_queue\n   0: 0100007F:0016 00000000:0000 0A 0\n   1: 0100007F:0016 0100007F:9999 01 0\n   2: 0100007F:0016 0100007F:9998 06 0\n";
        let states = tcp_states(text);
        assert_eq!(
            (states.count, states.listening, states.established),
            (3, 1, 1)
        );
        assert_eq!(states.time_wait, 1);
    }

    #[test]
    fn socket_memory_is_in_bytes() {
        let stat = sockstat(
            "sockets: used 19\nTCP: inuse 1 orphan 2 tw 0 alloc 1 mem 3\nUDP: inuse 4 mem 5\n",
        );
        assert_eq!((stat.tcp_memory, stat.tcp_orphan), (3 * 4096, 2));
        assert_eq!((stat.udp_in_use, stat.udp_memory), (4, 5 * 4096));
    }
}
