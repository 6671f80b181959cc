import FacetCUDA
import FacetTestSupport
import Foundation
import Testing

/// A machine of simulated cards, of its own: the library is copied for each, and a copy has cards, faults and findings of
/// its own.
///
/// Nothing is set in the process's environment, which all tests share: the machine, its faults and its order go through
/// the library's functions (`Tests/CUDASim/include/cudasim.h`).
final class SimulatedMachine {
    let folder: TemporaryFolder

    /// The library's file; it stands for the driver, NVRTC, cuBLASLt and NVML.
    let path: String

    private let library: UnsafeMutableRawPointer

    /// Which of several operations that could run does.
    enum Order: Sendable, Hashable, CustomTestStringConvertible {
        /// Every stream runs on a thread of its own.
        case threads
        /// One operation at a time, picked by a seed.
        case seed(UInt64)

        /// What tests try: threads, and some orders that can be had again.
        static let several: [Order] = [.threads] + (1...6).map(Order.seed)

        var testDescription: String {
            switch self {
            case .threads: "on threads"
            case .seed(let seed): "by seed \(seed)"
            }
        }
    }

    /// Opens a machine.
    ///
    /// - Parameter description: the JSON text that `Tests/CUDASim/README.md` describes.
    init(_ description: String, _ order: Order = .threads) throws {
        folder = try TemporaryFolder()
        path = try folder.copy(of: Self.built, as: "libsimulated.so").path
        library = try #require(dlopen(path, RTLD_NOW | RTLD_LOCAL), "\(dlerror().map { String(cString: $0) } ?? "")")
        try load(description)
        try setOrder(order)
    }

    /// Opens one of the machines in `Tests/Fixtures/CUDAMachines`, by its file's name without the ending.
    convenience init(file: String, _ order: Order = .threads) throws {
        try self.init(String(contentsOf: Self.file(file), encoding: .utf8), order)
    }

    /// Opens like cards, small enough for a test.
    convenience init(
        cards: Int = 1, memoryMiB: Int = 64, capability: String = "9.0", links: String = #"{ "peer": "ok" }"#,
        _ order: Order = .threads
    ) throws {
        try self.init(
            Self.description(cards: cards, memoryMiB: memoryMiB, capability: capability, links: links), order)
    }

    /// The text of a machine of like cards.
    static func description(
        cards: Int = 1, memoryMiB: Int = 64, capability: String = "9.0", links: String = #"{ "peer": "ok" }"#
    ) -> String {
        """
        {
          "name": "\(cards) test cards",
          "devices": [
            {
              "count": \(cards), "name": "Test card", "compute_capability": "\(capability)", "multiprocessors": 4,
              "memory_mib": \(memoryMiB), "context_mib": 1
            }
          ],
          "every_link": \(links)
        }
        """
    }

    /// Runs a test on a machine, and expects that nothing was misused and everything was given back at its end.
    ///
    /// What the closure makes is let go of when it returns, so keep nothing beyond it.
    static func run<Value>(
        _ machine: SimulatedMachine, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (SimulatedMachine) throws -> Value
    ) throws -> Value {
        let value = try body(machine)
        let (findings, leaks) = (try machine.findings(), try machine.leaks())
        #expect(findings == [], sourceLocation: sourceLocation)
        #expect(leaks == "", sourceLocation: sourceLocation)
        return value
    }

    // MARK: What there is

    /// The files of all machines that are shipped, by name without the ending.
    static func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: FixtureFolder.path("CUDAMachines").path)
            .filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }

    /// Where a machine's file lies.
    static func file(_ name: String) -> URL { FixtureFolder.path("CUDAMachines/\(name).json") }

    /// The library that the build made, beside the test bundle.
    static var built: URL {
        CommandRun.executable.deletingLastPathComponent().appendingPathComponent("libCUDASim.so")
    }

    /// The search that finds this machine's library, for all four.
    var search: LibrarySearch {
        let settings = NVIDIALibrary.allCases.map { ($0.setting, path) }
        return LibrarySearch(environment: Dictionary(uniqueKeysWithValues: settings))
    }

    /// A path in the machine's own folder, which goes with it.
    func place(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

    func driver() throws -> CUDADriver { try CUDADriver(search) }

    func context(_ index: Int = 0) throws -> CUDAContext { try CUDAContext(driver(), index: index) }

    /// Compiles the engine's kernels, as on a card.
    ///
    /// - Parameter cacheFolder: nil to keep nothing.
    func kernelStore(cacheFolder: String? = nil) -> KernelStore {
        let search = search
        return KernelStore(Kernels.sources, releaseFolder: nil, cacheFolder: cacheFolder) { () throws(CUDAError) in
            try NVRTC(search)
        }
    }

    // MARK: What happens

    /// Loads another machine in the place of this one: everything that there was is forgotten.
    func load(_ description: String) throws {
        let load = try function("cudasim_load_machine", (@convention(c) (UnsafePointer<CChar>?) -> Int32).self)
        let status = load(description)
        let problem = status == 0 ? "" : try lastProblem()
        try #require(status == 0, "\(problem)")
    }

    /// Loads the machine again with these variables in the place of CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER.
    func show(_ visibleDevices: String?, order: String? = nil, of description: String) throws {
        typealias Show = @convention(c) (UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Void
        let show = try function("cudasim_set_visible_devices", Show.self)
        switch (visibleDevices, order) {
        case (let list?, let order?): show(list, order)
        case (let list?, nil): show(list, nil)
        case (nil, let order?): show(nil, order)
        case (nil, nil): show(nil, nil)
        }
        try load(description)
    }

    /// Changes the order of operations; waits until none is left.
    func setOrder(_ order: Order) throws {
        let set = try function("cudasim_set_order", (@convention(c) (Int32, UInt64) -> Void).self)
        switch order {
        case .threads: set(0, 0)
        case .seed(let seed): set(1, seed)
        }
    }

    /// Lets a call, or an operation as it runs (`run:kernel`, `run:kernel:NAME`, `run:copy`, …), fail.
    ///
    /// - Parameters:
    ///   - device: nil for any.
    ///   - code: the driver's number, or its name.
    ///   - number: which one, from now on, counting from 1.
    ///   - count: how many in a row.
    func fail(_ call: String, device: Int? = nil, _ code: String, number: Int = 1, count: Int = 1) throws {
        try inject("\(device.map(String.init) ?? "*"):\(call):\(number):\(code):\(count)")
    }

    /// Lets a call, or an operation as it runs, take longer.
    func delay(_ call: String, device: Int? = nil, milliseconds: Int, number: Int = 1, count: Int = 1) throws {
        let place = device.map { #""device": \#($0), "# } ?? ""
        try inject(
            #"[{ \#(place)"call": "\#(call)", "nth": \#(number), "count": \#(count), "delay_ms": \#(milliseconds) }]"#)
    }

    /// Lets a card fall off the bus in the midst of an operation.
    func lose(_ device: Int, in call: String = "run:*", number: Int = 1) throws {
        try inject(#"[{ "device": \#(device), "call": "\#(call)", "nth": \#(number), "lost": true }]"#)
    }

    /// Adds faults as `Tests/CUDASim/README.md` writes them.
    func inject(_ faults: String) throws {
        let inject = try function("cudasim_inject_faults", (@convention(c) (UnsafePointer<CChar>) -> Int32).self)
        let status = inject(faults)
        let problem = status == 0 ? "" : try lastProblem()
        try #require(status == 0, "\(problem)")
    }

    // MARK: What was seen

    /// Misuse that a real card answers with wrong data, or not at all.
    func findings() throws -> [String] {
        let count = try function("cudasim_finding_count", (@convention(c) () -> UInt32).self)()
        let text = try function("cudasim_finding", (@convention(c) (UInt32) -> UnsafePointer<CChar>?).self)
        return (0..<count).compactMap { text($0).map { String(cString: $0) } }
    }

    /// What was not given back, a line each; empty when all was.
    func leaks() throws -> String {
        let report = try function(
            "cudasim_report_leaks", (@convention(c) (UnsafeMutablePointer<CChar>?, Int) -> UInt32).self)
        var characters = [CChar](repeating: 0, count: 4096)
        _ = report(&characters, characters.count)
        return Self.text(characters)
    }

    /// How many objects were not given back.
    func leakCount() throws -> Int {
        let report = try function(
            "cudasim_report_leaks", (@convention(c) (UnsafeMutablePointer<CChar>?, Int) -> UInt32).self)
        return Int(report(nil, 0))
    }

    /// Starts or stops the record of calls and operations.
    func setTrace(_ isOn: Bool) throws {
        try function("cudasim_trace", (@convention(c) (Int32) -> Void).self)(isOn ? 1 : 0)
    }

    /// The record, a line per call or operation.
    func trace() throws -> [Substring] {
        let read = try function("cudasim_read_trace", (@convention(c) (UnsafeMutablePointer<CChar>?, Int) -> Int).self)
        var characters = [CChar](repeating: 0, count: read(nil, 0))
        _ = read(&characters, characters.count)
        return Self.text(characters).split(separator: "\n")
    }

    /// Why this thread's last failed call failed, in words; empty when none did.
    func lastProblem() throws -> String {
        String(cString: try function("cudasim_last_problem", (@convention(c) () -> UnsafePointer<CChar>).self)())
    }

    private func function<Function>(_ name: String, _ type: Function.Type) throws -> Function {
        unsafeBitCast(try #require(dlsym(library, name)), to: type)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
