import FacetTestSupport
import Foundation
import Testing

/// `facet doctor` on simulated machines: what each group says of their cards.
@Suite struct DoctorSimulationTests {
    /// A report, by `group/check/subject`.
    private struct Report {
        let rows: [String: [String: Any]]
        let run: CommandRun

        /// Examines a machine; the file's path, or the text of one.
        init(_ machine: String, visible: String? = nil, order: String? = nil) throws {
            let library = CommandRun.executable.deletingLastPathComponent().appendingPathComponent("libCUDASim.so").path
            var settings = ["FACET_CUDASIM": machine]
            for name in ["FACET_CUDA_DRIVER", "FACET_NVRTC", "FACET_CUBLASLT", "FACET_NVML"] {
                settings[name] = library
            }
            settings["CUDA_VISIBLE_DEVICES"] = visible
            settings["CUDA_DEVICE_ORDER"] = order
            run = try CommandRun(["doctor", "--json", "--time-limit", "3600"], environment: settings)
            let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
            let findings = try #require(object?["findings"] as? [[String: Any]])
            rows = Dictionary(
                findings.map { row in
                    let names = ["group", "check", "subject"].compactMap { row[$0] as? String }
                    return (names.joined(separator: "/"), row)
                }, uniquingKeysWith: { first, _ in first })
            // The exit status is that of the worst row, whatever the host of the test is like.
            let verdicts = ["ok": 0, "note": 0, "warn": 1, "fail": 2] as [String: Int32]
            let worst = findings.compactMap { verdicts[$0["verdict"] as? String ?? ""] }.max()
            #expect(run.status == worst)
        }

        init(file: String, visible: String? = nil, order: String? = nil) throws {
            try self.init(FixtureFolder.path("CUDAMachines/\(file).json").path, visible: visible, order: order)
        }

        func verdict(_ name: String) -> String? { rows[name]?["verdict"] as? String }
        func found(_ name: String) -> String { rows[name]?["found"] as? String ?? "no row '\(name)'" }

        /// The rows of the cards' groups that are worse than a note.
        var troubles: [String] {
            rows.filter { Self.isOfCards($0.key) && ["warn", "fail"].contains($0.value["verdict"] as? String) }
                .keys.sorted()
        }

        /// The exit status that the rows of the cards' groups ask for, or those of all others: 0, 1 or 2.
        func status(ofCards: Bool) -> Int32 {
            let verdicts = rows.filter { Self.isOfCards($0.key) == ofCards }.map { $0.value["verdict"] as? String }
            return verdicts.contains("fail") ? 2 : verdicts.contains("warn") ? 1 : 0
        }

        private static func isOfCards(_ name: String) -> Bool {
            ["driver", "visibility", "card", "precision", "MIG", "health", "link", "peer", "collective"].contains {
                name.hasPrefix($0 + "/")
            }
        }

        /// The first row of peer access.
        var peers: [(subject: String, row: [String: Any])] {
            rows.filter { $0.key.hasPrefix("peer/peer access/") }.map {
                ($0.value["subject"] as? String ?? "", $0.value)
            }
        }
    }

    /// What the cards of each machine make the exit status, with a list of visible cards or without.
    private static let statuses: [(String, String?, Int32)] = [
        ("2x-nvlink", nil, 0), ("2x4090-no-peer", nil, 0), ("8xH200", nil, 0), ("mig-1g.18gb", nil, 0),
        ("test-1", nil, 0), ("test-2", nil, 0), ("test-4", nil, 0), ("4x2080ti", nil, 1), ("mixed-24-12-8", nil, 1),
        ("2x4090-no-peer", "", 1), ("2x4090-no-peer", "1,1", 2), ("8xH200", "0,8,1", 2), ("mig-1g.18gb", "9", 2),
    ]

    @Test(
        "the exit status of every machine: 0 when its cards are well, 1 with a warning, 2 with a failure",
        arguments: statuses)
    func exitStatus(_ machine: String, _ visible: String?, _ status: Int32) throws {
        let report = try Report(file: machine, visible: visible)
        #expect(report.status(ofCards: true) == status, "\(report.troubles)")
        // The host of the test has a say, too: on one that is well it is the cards' status alone.
        #expect(report.run.status == max(status, report.status(ofCards: false)))
    }

    @Test("every machine that is shipped has its exit status tested")
    func everyMachine() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: FixtureFolder.path("CUDAMachines").path)
        #expect(Set(files.filter { $0.hasSuffix(".json") }) == Set(Self.statuses.map { $0.0 + ".json" }))
    }

    @Test("two cards without peer access: all is well, and copies go through the host")
    func withoutPeers() throws {
        let report = try Report(file: "2x4090-no-peer")
        #expect(report.troubles == [])
        #expect(report.found("driver/driver") == "simulated: no card is really there")
        #expect(report.found("driver/version").hasPrefix("570.86") && report.verdict("driver/start") == "ok")
        #expect(report.found("driver/CUDA version").hasPrefix("12.8"))
        #expect(report.verdict("driver/libcuda") == "ok" && report.found("driver/libraries/libnvrtc.so") == "12.9")
        #expect(report.found("driver/libraries/libcublasLt.so") == "loads")
        for card in 0...1 {
            #expect(report.found("card/kind/card \(card)").contains("RTX 4090 (simulated), 23.99 GiB, capability 8.9"))
            #expect(report.found("card/processes/card \(card)") == "process (1402) 310.00 MiB")
            #expect(report.found("visibility/numbers/cuda:\(card)").hasPrefix("card \(card) "))
            #expect(report.found("precision/fp8/card \(card)") == "arithmetic and storage")
        }
        #expect(report.peers.count == 1 && report.peers.first?.subject == "0→1, 1→0")
        let peer = report.peers.first?.row["found"] as? String ?? ""
        #expect(peer.hasPrefix("none (not supported): copies go through the host's memory, "))
        for name in ["self-test/operations/card 0", "self-test/picture/card 1", "collective/sum of two cards/0+1"] {
            #expect(report.verdict(name) == "ok", "\(name)")
        }
        #expect(report.found("collective/sum of two cards/0+1").contains("through host memory (the driver offers no"))
        #expect(report.found("precision/attention/card 0") == "fused for heads of 112 and 128")
        #expect(report.run.errorOutput.contains("nothing here runs on a GPU"))
    }

    @Test("an NVLink pair: copies are checked, and links counted")
    func nvlink() throws {
        let report = try Report(file: "2x-nvlink")
        #expect(report.troubles == [])
        #expect(report.found("link/NVLink/card 0") == "4 links up")
        #expect((report.peers.first?.row["found"] as? String)?.hasPrefix("NVLink, copies checked, ") == true)
        #expect(report.found("health/memory errors/card 1") == "not counted (ECC is off)")
        #expect(report.found("collective/sum of two cards/0+1").hasSuffix("direct"))
        #expect(report.verdict("precision/fp8/card 0") == "note")
    }

    @Test("unlike cards: their order, the oldest one's arithmetic, and lanes that are missing")
    func mixed() throws {
        let report = try Report(file: "mixed-24-12-8")
        #expect(
            report.troubles == [
                "link/PCIe width/card 1", "precision/bfloat16/card 2", "visibility/CUDA_DEVICE_ORDER",
            ])
        #expect(report.found("link/PCIe width/card 1").hasPrefix("x4 of x16"))
        #expect(report.verdict("card/display/card 0") == "note" && report.run.status >= 1)
        #expect(try Report(file: "mixed-24-12-8", order: "PCI_BUS_ID").verdict("visibility/CUDA_DEVICE_ORDER") == "ok")
    }

    @Test("eight cards behind a switch: each pair is tried, in one row")
    func eight() throws {
        let report = try Report(file: "8xH200")
        #expect(report.troubles == [])
        #expect(report.peers.count == 1 && report.peers.first?.subject == "0→1, 1→0, 0→2, 2→0 and 52 more")
        #expect((report.peers.first?.row["found"] as? String)?.hasPrefix("NVLink, copies checked, ") == true)
        #expect(report.found("link/NVLink/card 7") == "18 links up")
        #expect(report.found("health/memory errors/card 7") == "none")
    }

    @Test("a slice of a card: what CUDA shows is the slice, and that is no trouble")
    func slice() throws {
        let report = try Report(file: "mig-1g.18gb")
        #expect(report.troubles == [])
        #expect(report.found("MIG/instances/card 0") == "1 instance of 16.00 GiB")
        #expect(report.found("visibility/CUDA_VISIBLE_DEVICES") == "not set: 1 card visible")
        #expect(report.verdict("self-test/operations/card 0, instance 7:0") == "ok")
        let named = try Report(file: "mig-1g.18gb", visible: "MIG-11111111")
        #expect(named.troubles == [] && named.verdict("visibility/numbers/cuda:0") == "ok")
    }

    @Test("lists of visible cards are explained from NVML's list, and CUDA agrees")
    func visible() throws {
        let second = try Report(file: "2x4090-no-peer", visible: "1")
        #expect(second.troubles == [] && second.found("visibility/CUDA_VISIBLE_DEVICES") == "'1': 1 card visible")
        #expect(second.found("visibility/numbers/cuda:0").hasPrefix("card 1 ") && second.peers.isEmpty)
        let name = "GPU-00000000-0000-4000-8000-000000000001"
        let swapped = try Report(file: "2x4090-no-peer", visible: "\(name),GPU-00000000-0000-4000-8000-000000000000")
        #expect(swapped.troubles == [] && swapped.found("visibility/numbers/cuda:0").hasPrefix("card 1 "))
        #expect(swapped.peers.first?.subject == "1→0, 0→1")
        let wrong = try Report(file: "4x2080ti", visible: "0,7,1")
        #expect(wrong.run.status == 2)
        #expect(
            wrong.found("visibility/CUDA_VISIBLE_DEVICES")
                == "CUDA_VISIBLE_DEVICES: entry 2 '7' is invalid (the cards are 0 to 3), so 3 is hidden")
        #expect(wrong.found("visibility/numbers/cuda:0").hasPrefix("card 0 "))
        #expect(wrong.verdict("visibility/numbers") == nil)
        let twice = try Report(file: "2x4090-no-peer", visible: "0,0")
        #expect(twice.found("visibility/CUDA_VISIBLE_DEVICES").contains("so CUDA hides every card"))
        #expect(twice.verdict("visibility/CUDA_VISIBLE_DEVICES") == "fail")
        let hidden = try Report(file: "2x4090-no-peer", visible: "")
        #expect(hidden.verdict("visibility/CUDA_VISIBLE_DEVICES") == "warn" && hidden.verdict("driver/start") == "ok")
    }

    @Test("a card in trouble is a row, and keeps nothing else from being said")
    func troubled() throws {
        let folder = try TemporaryFolder()
        func machine(_ first: String, links: String = #"{ "peer": "ok" }"#, more: String = "") throws -> String {
            let card = #""compute_capability": "8.9", "multiprocessors": 4, "memory_mib": 1024"#
            let text = """
                {
                  "name": "troubled", \(more)
                  "devices": [{ "name": "A", \(card), \(first) }, { "name": "B", \(card) }, { "name": "B", \(card) }],
                  "every_link": \(links)
                }
                """
            return try folder.file("machine.json", Data(text.utf8)).path
        }
        let prohibited = try Report(machine(#""compute_mode": "prohibited""#))
        #expect(prohibited.verdict("card/compute mode/card 0") == "fail" && prohibited.run.status == 2)
        #expect(prohibited.peers.map(\.subject) == ["1→2, 2→1"])
        let worn = try Report(machine(#""ecc": true, "ecc_uncorrected": 3, "throttle_reasons": 64, "temperature": 97"#))
        #expect(
            worn.verdict("health/memory errors/card 0") == "fail" && worn.verdict("health/throttling/card 0") == "warn")
        #expect(worn.found("health/temperature/card 0") == "97 °C")
        let corrupt = try Report(machine(#""display": true"#, links: #"{ "peer": "corrupt" }"#))
        #expect(corrupt.peers.first?.row["verdict"] as? String == "fail")
        #expect(corrupt.peers.first?.row["found"] as? String == "claimed, but a copy arrives changed")
        let dead = try Report(machine(#""display": true"#, links: #"{ "peer": "dead", "nvlinks": 2 }"#))
        // Each trial stops the card that receives, and the pair of the two that have stopped is not tried.
        #expect(dead.peers.map(\.subject) == ["0→1, 1→0, 0→2, 2→0"])
        #expect(dead.peers.first?.row["found"] as? String == "claimed, but a copy fails")
        #expect(dead.found("link/NVLink/card 0") == "no link up: no bridge, or not set up")
        let fault = #""faults": [{ "call": "cuInit", "code": "CUDA_ERROR_SYSTEM_NOT_READY", "count": 100 }],"#
        let broken = try Report(machine(#""display": true"#, more: fault))
        #expect(broken.found("driver/start").contains("CUDA_ERROR_SYSTEM_NOT_READY") && broken.run.status == 2)
        #expect(broken.verdict("card/kind/card 2") == "ok")
    }
}
