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

        /// Sets the limits; the defaults are far beyond what a busy machine needs.
        public init(reading: Duration = .seconds(30), computing: Duration = .seconds(180)) {
            self.reading = reading
            self.computing = computing
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
    public func facts(_ progress: (String) -> Void = { _ in }) async -> Facts {
        var facts = Facts()
        var run = ProbeRun()
        func probe<Value: Sendable>(
            _ name: ProbeName, _ limit: Duration, _ body: @escaping @Sendable () throws -> Value
        ) async -> Value? {
            progress(name.rawValue)
            return await run(name.rawValue, limit: limit, body)
        }
        facts.environment = EnvironmentFacts(environment)
        let (roots, version, backends) = (roots, version, backends)
        facts.host = await probe(.host, limits.reading) { HostProbe(roots).facts() }
        facts.build = await probe(.build, limits.reading) {
            BuildProbe(version: version, backends: backends, roots).facts()
        }
        facts.driver = await probe(.driver, limits.reading) { DriverProbe(roots).facts() }
        let library = LibraryProbe("libcuda.so.1", setting: environment["FACET_CUDA_DRIVER"])
        facts.driver?.library = await probe(.library, limits.reading) { library.facts() }
        if let gpuProbe {
            facts.gpu = await probe(.cards, limits.reading) { try gpuProbe.facts() } ?? nil
            if (facts.gpu?.cards?.count ?? 0) > 1, facts.gpu?.startProblem == nil {
                facts.gpu?.peers = await probe(.peers, limits.computing) { try gpuProbe.peers() }
            }
        }
        if let modelFolder {
            let model = ModelProbe(folder: modelFolder, roots)
            facts.model = await probe(.model, limits.reading) { model.facts() }
            // A folder that hung once is not asked again.
            if facts.model != nil, !CardList(facts).isEmpty {
                let known = facts
                let plan = await probe(.plan, limits.computing) {
                    try model.configuration().flatMap { try PlanProbe($0, known).plan() }
                }
                facts.model?.cardPlan = plan ?? nil
            }
        }
        var selfTest = SelfTestFacts()
        let devices = devices
        selfTest.operations = await probe(.operations, limits.computing) {
            try devices.flatMap { SelfTest(try $0.make(), label: $0.label).run() }
        }
        if let pictureModel, let device = devices.first {
            selfTest.picture = await probe(.picture, limits.computing) {
                PictureTest(pictureModel, on: device.make).run()
            }
        }
        facts.selfTest = selfTest
        facts.probes = run.outcomes
        return facts
    }
}
