/// One examination of a machine: the probes, each of which may build upon what those before it found.
struct Examination {
    private let doctor: Doctor
    private let progress: (String) -> Void
    private var facts = Facts()
    private var run = ProbeRun()

    init(_ doctor: Doctor, _ progress: @escaping (String) -> Void) {
        self.doctor = doctor
        self.progress = progress
        facts.environment = EnvironmentFacts(doctor.environment)
    }

    /// What was found, and how each probe ended.
    var result: Facts {
        var result = facts
        result.probes = run.outcomes
        return result
    }

    private mutating func probe<Value: Sendable>(
        _ name: ProbeName, of subject: String? = nil, _ limit: Duration,
        _ body: @escaping @Sendable () throws -> Value
    ) async -> Value? {
        progress(subject.map { "\(name.rawValue), \($0)" } ?? name.rawValue)
        return await run(name.rawValue, of: subject, limit: limit, body)
    }

    // MARK: Reading

    /// The machine, this executable, and what the system shows of the driver.
    mutating func examineSystem() async {
        let (roots, version, backends) = (doctor.roots, doctor.version, doctor.backends)
        let limit = doctor.limits.reading
        facts.host = await probe(.host, limit) { HostProbe(roots).facts() }
        facts.build = await probe(.build, limit) {
            BuildProbe(version: version, backends: backends, roots).facts()
        }
        var driver = await probe(.driver, limit) { DriverProbe(roots).facts() }
        let library = LibraryProbe("libcuda.so.1", setting: doctor.environment["FACET_CUDA_DRIVER"])
        driver?.library = await probe(.library, limit) { library.facts() }
        facts.driver = driver
    }

    /// The cards, and copies among them.
    mutating func examineCards() async {
        guard let gpuProbe = doctor.gpuProbe else { return }
        facts.gpu = await probe(.cards, doctor.limits.reading) { try gpuProbe.facts() } ?? nil
        guard (facts.gpu?.cards?.count ?? 0) > 1, facts.gpu?.startProblem == nil else { return }
        let peers = await probe(.peers, doctor.limits.computing) { try gpuProbe.peers() }
        facts.gpu?.peers = peers
    }

    /// The checkpoint's folder, and what the cards would hold of it.
    mutating func examineModel() async {
        guard let folder = doctor.modelFolder else { return }
        let model = ModelProbe(folder: folder, doctor.roots)
        facts.model = await probe(.model, doctor.limits.reading) { model.facts() }
        // A folder that hung once is not asked again.
        guard facts.model != nil, !CardList(facts).isEmpty else { return }
        let known = facts
        let plan = await probe(.plan, doctor.limits.computing) {
            try model.configuration().flatMap { try PlanProbe($0, known).plan() }
        }
        facts.model?.cardPlan = plan ?? nil
    }

    // MARK: Computing

    /// Small computations on the processor.
    mutating func computeOnDevices() async {
        let devices = doctor.devices
        var selfTest = SelfTestFacts()
        selfTest.operations = await probe(.operations, doctor.limits.computing) {
            try devices.flatMap { SelfTest(try $0.make(), label: $0.label).run() }
        }
        if let model = doctor.pictureModel, let device = devices.first {
            let picture = await probe(.picture, doctor.limits.computing) {
                PictureTest(model, on: device.make, label: device.label).run()
            }
            selfTest.pictures = picture.map { [$0] }
        }
        facts.selfTest = selfTest
    }

    /// The same on each card that CUDA shows, one after the other: what one of them does cannot hide another's result.
    mutating func computeOnCards() async {
        guard let gpuProbe = doctor.gpuProbe else { return }
        for card in VisibleCard.all(facts) {
            let test = CardTest(gpuProbe, card, doctor.pictureModel)
            let result = await probe(.operations, of: card.label, doctor.limits.starting) { try test.run() }
            guard let result else { continue }
            facts.selfTest?.add(result.selfTest)
            if let link = result.link, let place = card.place { facts.gpu?.cards?[place].link = link }
        }
    }

    /// Sums of each card and the next one; those that others use are left out.
    mutating func computeOnPairs() async {
        guard let gpuProbe = doctor.gpuProbe, facts.gpu != nil else { return }
        let untested = Set((facts.selfTest?.untested ?? []).map(\.device))
        let cards = VisibleCard.all(facts).filter { !untested.contains($0.label) }
        var sums: [SumFacts] = []
        for (one, other) in zip(cards, cards.dropFirst()) {
            guard let places = one.places(with: other) else { continue }
            let uuids = [one.uuid, other.uuid]
            let subject = places.map(String.init).joined(separator: "+")
            let sum = await probe(.sums, of: subject, doctor.limits.starting) {
                SumTest(places, try gpuProbe.start(uuids)).run()
            }
            if let sum { sums.append(sum) }
        }
        facts.gpu?.sums = sums
    }
}
