public import FacetEngine
public import FacetTensor

/// Examines this machine: runs the probes, each within its time limit, and hands what they found to the checks.
///
/// It never needs root, changes nothing, and works without a driver, a card or a model.
public struct Doctor: Sendable {
    /// How long probes may take.
    public struct Limits: Sendable, Hashable {
        /// A probe that only reads.
        public var reading: Duration
        /// A probe that computes or copies among cards.
        public var computing: Duration

        /// A probe that starts cards, which may have to compile their kernels first.
        public var starting: Duration

        /// Sets the limits; the defaults are far beyond what a busy machine needs.
        public init(
            reading: Duration = .seconds(30), computing: Duration = .seconds(180), starting: Duration = .seconds(600)
        ) {
            self.reading = reading
            self.computing = computing
            self.starting = starting
        }
    }

    /// A device that is tested by computing on it.
    public struct Device: Sendable {
        /// What the report calls it, such as `cpu avx2`.
        public var label: String
        /// Makes it ready; called on the thread that uses it.
        public var make: @Sendable () throws -> any Backend

        /// Names a device.
        public init(label: String, make: @escaping @Sendable () throws -> any Backend) {
            self.label = label
            self.make = make
        }
    }

    /// The program's version.
    public var version: String
    /// What it can compute on, such as `cpu`.
    public var backends: [String]
    /// Devices that are tested.
    public var devices: [Device] = []
    /// A small model that knows colored shapes; nil leaves the picture test out.
    public var pictureModel: ModelFiles?
    /// Asks the driver's libraries; nil when this build has no probe for them.
    public var gpuProbe: (any GPUProbe)?
    /// The checkpoint folder to examine; nil for none.
    public var modelFolder: String?
    /// Variables of the environment.
    public var environment: [String: String] = [:]
    /// How long probes may take.
    public var limits = Limits()
    /// Where the kernel shows itself.
    public var roots = SystemRoots.standard

    /// Prepares an examination; everything optional is left out unless it is set.
    public init(version: String, backends: [String]) {
        self.version = version
        self.backends = backends
    }

    /// Runs every probe, one after the other.
    ///
    /// - Parameter progress: called with each probe's name before it runs.
    public func facts(_ progress: @escaping (String) -> Void = { _ in }) async -> Facts {
        var examination = Examination(self, progress)
        await examination.examineSystem()
        await examination.examineCards()
        await examination.examineModel()
        await examination.computeOnDevices()
        await examination.computeOnCards()
        await examination.computeOnPairs()
        return examination.result
    }
}
