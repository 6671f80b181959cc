/// Asks the driver's libraries about the cards; whoever can compute on cards supplies one.
public protocol GPUProbe: Sendable {
    /// Everything about the cards that can be asked without copying among them.
    ///
    /// Called on a thread of its own, which is given up when it takes too long. What cannot be read stays nil; cards and
    /// their NVML data are joined by UUID, never by index.
    /// - Throws: when nothing at all can be asked; the error's text becomes part of the report.
    func facts() throws -> GPUFacts

    /// Every ordered pair of cards: what the driver says of it, and what a copy with a known pattern gave.
    ///
    /// Called only when `facts` found more than one card, likewise on a thread of its own.
    /// - Throws: when no pair can be tried.
    func peers() throws -> [PeerFacts]
}
