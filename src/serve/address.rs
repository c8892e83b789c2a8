//! The address to serve on: its text, and the socket that is bound to it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

// Connections that the kernel keeps for us until they are accepted.
const BACKLOG: i32 = 128;

/// A socket that listens. Nothing is answered on it until it is given to `serve`.
#[derive(Debug)]
pub struct Bound {
    pub(super) listener: TcpListener,
    address: SocketAddr,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The text is not an address.
    #[error(
        "{flag}: {value:?} is not an address: expected IP:port, :port for all addresses of this host, or 0 for none"
    )]
    NotAnAddress {
        /// The flag that gave it.
        flag: &'static str,
        /// Its value.
        value: String,
    },
    /// Somebody else listens there.
    #[error("{flag}: port {} of {value} is taken by another process: choose another, or 0 to serve nothing", address.port())]
    Taken {
        /// The flag that gave it.
        flag: &'static str,
        /// Its value.
        value: String,
        /// The address that is taken.
        address: SocketAddr,
    },
    /// The operating system would not have it.
    #[error("{flag}: cannot listen on {value}: {source}")]
    Refused {
        /// The flag that gave it.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Bound {
    /// The address on which it listens, with the port that was given for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Listens on the address that this flag gives: `127.0.0.1:8080`, `[::1]:8080`; `[::]:8080` or
/// `:8080` for all addresses of both families (IPv4 only where the host has no IPv6). `0` is off.
///
/// # Errors
/// The text is no address, the port is taken, or the operating system refuses.
pub fn bind(flag: &'static str, value: &str) -> Result<Option<Bound>, BindError> {
    if value == "0" {
        return Ok(None);
    }
    let address = parse(value).ok_or_else(|| BindError::NotAnAddress { flag, value: value.to_owned() })?;
    let listener = match listen(address) {
        Err(error) if no_ipv6(&error) && address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        outcome => outcome,
    };
    let bound = listener.and_then(|listener| {
        let address = listener.local_addr()?;
        Ok(Bound { listener, address })
    });
    bound.map(Some).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { flag, value: value.to_owned(), address },
        _ => BindError::Refused { flag, value: value.to_owned(), source },
    })
}

fn parse(value: &str) -> Option<SocketAddr> {
    match value.strip_prefix(':') {
        Some(port) => port.parse().ok().map(|port| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)),
        None => value.parse().ok(),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // Whatever net.ipv6.bindv6only says: IPv4 arrives here too.
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for connections of the last process to time out.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

// EAFNOSUPPORT, or EADDRNOTAVAIL where IPv6 is switched off by sysctl.
fn no_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: &str = "--metrics-bind-address";

    #[test]
    fn zero_is_off() {
        assert!(bind(FLAG, "0").unwrap().is_none());
    }

    #[test]
    fn addresses_are_read_as_kubernetes_writes_them() {
        for (value, address) in [
            (":8080", "[::]:8080"),
            ("[::]:8080", "[::]:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(parse(value), Some(address.parse().unwrap()), "{value}");
        }
        for value in ["", "8080", ":", ":port", ":70000", "127.0.0.1", "::1:8080", "node-1:8080"] {
            let error = bind(FLAG, value).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "--metrics-bind-address: {value:?} is not an address: expected IP:port, :port for all \
                     addresses of this host, or 0 for none"
                )
            );
        }
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_flag_and_address() {
        let first = bind(FLAG, "127.0.0.1:0").unwrap().unwrap();
        let value = first.address().to_string();
        let error = bind(FLAG, &value).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "--metrics-bind-address: port {} of {value} is taken by another process: choose another, or 0 to \
                 serve nothing",
                first.address().port()
            )
        );
        drop(first);
        bind(FLAG, &value).unwrap().unwrap();
    }

    #[test]
    fn an_address_of_another_host_is_refused_with_the_reason() {
        let error = bind(FLAG, "192.0.2.1:80").unwrap_err().to_string();
        assert!(error.starts_with("--metrics-bind-address: cannot listen on 192.0.2.1:80: "), "{error}");
    }

    #[test]
    fn all_addresses_means_ipv4_too() {
        for value in [":0", "[::]:0"] {
            let bound = bind(FLAG, value).unwrap().unwrap();
            std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, bound.address().port())).unwrap();
        }
    }
}
