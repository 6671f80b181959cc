/// A plan as a picture: devices as columns to scale with their memory stacked, both chains as strips in the order of
/// execution, and the hops as arrows below.
///
///     title, workload
///     vision  |  cuda:0  |  cuda:1 |        strips: one cell per unit
///     decoder |  cuda:0     | cuda:1 |
///      ___        ___
///     |   |      |   |   columns, memory from the bottom
///     |###|      |###|
///       |__________^      hops
///     legend
public struct PlanPicture {
    private let report: PlanReport
    private let lanes: HopLanes
    private var canvas = SVGCanvas()

    private let margin = 32.0
    private let columnWidth = 118.0
    private let columnPitch = 236.0
    private let plotHeight = 320.0
    private let stripTop = 86.0
    private let stripHeight = 24.0
    private let laneHeight = 30.0

    private var plotTop: Double { stripTop + 2 * stripHeight + 48 }
    private var plotBottom: Double { plotTop + plotHeight }
    private var captionTop: Double { plotBottom + 20 }
    private var lanesTop: Double { captionTop + 88 }
    private var legendTop: Double { lanesTop + Double(lanes.laneCount) * laneHeight + 26 }
    private var width: Double {
        max(760, 2 * margin + columnPitch * Double(report.devices.count) - (columnPitch - columnWidth) + 110)
    }

    /// Draws a plan as an SVG document.
    public static func svg(_ report: PlanReport) -> String {
        var picture = PlanPicture(report)
        return picture.draw()
    }

    private init(_ report: PlanReport) {
        self.report = report
        lanes = HopLanes(report.hops)
    }

    private mutating func draw() -> String {
        heading()
        strips()
        for index in report.devices.indices { column(index) }
        hops()
        legend()
        let title = "\(report.model) in \(report.precision) on \(report.machine)"
        return canvas.document(width: width, height: legendTop + 44, title: title)
    }

    private mutating func heading() {
        let work = report.workload
        let times = report.prediction
        canvas.text(
            "\(report.model), \(report.precision), on \(report.machine)", margin, 36, size: 18, isBold: true)
        canvas.text(
            "\(work.sequences) × (\(work.imagesPerSequence) picture\(work.imagesPerSequence == 1 ? "" : "s") + "
                + "\(work.textTokens) + \(work.newTokens) tokens), \(work.attention) attention · for \(report.objective)",
            margin, 58, size: 12.5, fill: PlanPalette.faint)
        canvas.text(
            "first token \(NumberText.seconds(times.firstTokenSeconds))", width - margin, 36, size: 13, anchor: .end,
            isBold: true)
        canvas.text(
            "\(NumberText.seconds(times.stepSeconds)) per step, \(NumberText.short(times.tokensPerSecond)) tokens/s "
                + "(\(times.rates) rates)",
            width - margin, 58, size: 12.5, fill: PlanPalette.faint, anchor: .end)
    }

    // MARK: Strips

    private mutating func strips() {
        strip("vision", stripTop, .visionWeights) { $0.vision }
        strip("decoder", stripTop + stripHeight + 10, .decoderWeights) { $0.decoder }
    }

    /// One chain from left to right; a device's runs carry its name.
    private mutating func strip(
        _ name: String, _ y: Double, _ kind: TermReport.Kind, _ run: (DeviceReport) -> RunReport?
    ) {
        let left = margin + 62
        let runs = report.devices.enumerated().compactMap { index, device in run(device).map { (index, $0) } }
        let unitCount = runs.reduce(0) { $0 + $1.1.units.count }
        let unitWidth = (width - margin - left) / Double(max(1, unitCount))
        canvas.text(name, margin, y + 16, size: 13, isBold: true)
        for (place, (index, run)) in runs.sorted(by: { $0.1.firstIndex < $1.1.firstIndex }).enumerated() {
            let x = left + unitWidth * Double(run.firstIndex)
            let length = unitWidth * Double(run.units.count)
            canvas.rectangle(x, y, length, stripHeight, fill: PlanPalette.fill(kind), stroke: "#ffffff", radius: 3)
            if place % 2 == 1 {
                canvas.rectangle(x, y, length, stripHeight, fill: "rgba(15,23,42,0.22)", radius: 3)
            }
            if run.residentCount < run.units.count {
                canvas.rectangle(x, y, length, stripHeight, fill: "url(#streamed)", radius: 3)
            }
            let long = "\(report.devices[index].name) · \(run.text)"
            let label = Self.textWidth(long, 11.5) < length - 8 ? long : report.devices[index].name
            if Self.textWidth(label, 11.5) < length {
                canvas.text(
                    label, x + length / 2, y + 16, size: 11.5, fill: PlanPalette.ink(kind), anchor: .middle)
            }
        }
    }

    // MARK: Columns

    private func x(_ device: Int) -> Double { margin + Double(device) * columnPitch }

    private mutating func column(_ index: Int) {
        let device = report.devices[index]
        let largest = Double(max(1, report.devices.map(\.totalByteCount).max() ?? 1))
        let scale = plotHeight / largest
        let x = x(index)
        let top = plotBottom - Double(device.totalByteCount) * scale
        canvas.rectangle(
            x, top, columnWidth, Double(device.totalByteCount) * scale, fill: "#f8fafc", stroke: PlanPalette.line)
        let others = device.totalByteCount - device.budgetByteCount
        if others > 0 {
            canvas.rectangle(
                x, top, columnWidth, Double(others) * scale, fill: "url(#others)", stroke: PlanPalette.line)
        }
        var labels: [SideLabel] = []
        var bottom = plotBottom
        for term in device.terms {
            let height = Double(term.byteCount) * scale
            bottom -= height
            segment(term, device, x, bottom, height, &labels)
        }
        if device.headroomByteCount > 0 {
            let height = Double(device.headroomByteCount) * scale
            let text = "free \(NumberText.gibibytes(device.headroomByteCount))"
            if height > 16 {
                canvas.text(
                    text, x + columnWidth / 2, bottom - height / 2 + 4, size: 11.5, fill: PlanPalette.faint,
                    anchor: .middle)
            } else {
                labels.append(SideLabel(text: text, y: bottom - height / 2))
            }
        }
        if others > 0 {
            labels.append(
                SideLabel(text: "not ours \(NumberText.gibibytes(others))", y: top + Double(others) * scale / 2))
        }
        write(labels, beside: x + columnWidth)
        caption(device, x)
    }

    private mutating func segment(
        _ term: TermReport, _ device: DeviceReport, _ x: Double, _ y: Double, _ height: Double,
        _ labels: inout [SideLabel]
    ) {
        canvas.rectangle(x, y, columnWidth, height, fill: PlanPalette.fill(term.kind), stroke: "#ffffff")
        let text = "\(term.kind.heading) \(NumberText.gibibytes(term.byteCount))"
        if height >= 15 {
            canvas.text(
                text, x + columnWidth / 2, y + height / 2 + 4, size: 11.5, fill: PlanPalette.ink(term.kind),
                anchor: .middle)
        } else {
            labels.append(SideLabel(text: text, y: y + height / 2))
        }
    }

    /// A name that has no room in its segment, beside it.
    private struct SideLabel {
        let text: String
        let y: Double
    }

    /// Writes labels beside a column, apart from one another, each with a line to its place.
    private mutating func write(_ labels: [SideLabel], beside x: Double) {
        let labels = labels.sorted { $0.y > $1.y }
        var places: [Double] = []
        for label in labels { places.append(min(label.y, (places.last ?? plotBottom + 17) - 13)) }
        // Where the stack would rise above the plot, it is pushed down again from its top.
        var least = plotTop
        for index in places.indices.reversed() where places[index] < least {
            places[index] = least
            least += 13
        }
        for (label, y) in zip(labels, places) {
            canvas.path(
                "M\(SVGCanvas.number(x)) \(SVGCanvas.number(label.y)) L\(SVGCanvas.number(x + 8)) "
                    + "\(SVGCanvas.number(y)) L\(SVGCanvas.number(x + 11)) \(SVGCanvas.number(y))",
                stroke: PlanPalette.line, width: 0.8)
            canvas.text(label.text, x + 14, y + 3.5, size: 10.5, fill: PlanPalette.text)
        }
    }

    /// Below a column: the device, what it is, and what it computes.
    private mutating func caption(_ device: DeviceReport, _ x: Double) {
        canvas.text(device.name, x, captionTop, size: 14, isBold: true)
        canvas.text(device.card, x, captionTop + 17, size: 12, fill: PlanPalette.faint)
        let figures =
            "\(NumberText.gibibytes(device.neededByteCount)) of \(NumberText.gibibytes(device.budgetByteCount)) GiB"
        canvas.text(figures, x, captionTop + 34, size: 12)
        canvas.text("vision: \(device.vision?.text ?? "none")", x, captionTop + 53, size: 11, fill: "#6d28d9")
        canvas.text("decoder: \(device.decoder?.text ?? "none")", x, captionTop + 69, size: 11, fill: "#1d4ed8")
    }

    // MARK: Hops and legend

    /// Draws the arrows, then their labels, which no line may cross.
    private mutating func hops() {
        var labels: [(text: String, x: Double, y: Double, color: String)] = []
        let number = SVGCanvas.number
        for (index, arrow) in lanes.arrows.enumerated() {
            let hop = arrow.hop
            let (from, to) = (port(index, at: hop.source, isSource: true), port(index, at: hop.target, isSource: false))
            let top = lanesTop - 4
            let y = lanesTop + Double(arrow.lane) * laneHeight + 18
            let color = PlanPalette.stroke(hop.kind)
            canvas.path(
                "M\(number(from)) \(number(top)) V\(number(y)) H\(number(to)) V\(number(top + 6))", stroke: color,
                width: 1.6)
            canvas.shape("M\(number(to)) \(number(top)) l-4.5 8 h9 z", fill: color)
            let times = arrow.count > 1 ? "\(arrow.count) × " : ""
            let what = hop.kind == .splice ? "picture" : hop.kind.rawValue
            labels.append(
                (
                    "\(times)\(what): \(PlanText.size(hop.byteCount)), \(NumberText.seconds(hop.seconds))",
                    (from + to) / 2, y - 5, color
                ))
        }
        for label in labels {
            canvas.text(
                label.text, label.x, label.y, size: 11, fill: label.color, anchor: .middle, hasHalo: true)
        }
    }

    /// Where an arrow touches a device: the ends of all arrows there share the column's width.
    private func port(_ arrow: Int, at device: Int, isSource: Bool) -> Double {
        var ends: [(arrow: Int, isSource: Bool)] = []
        for (index, other) in lanes.arrows.enumerated() {
            if other.hop.target == device { ends.append((index, false)) }
            if other.hop.source == device { ends.append((index, true)) }
        }
        let place = ends.firstIndex { $0.arrow == arrow && $0.isSource == isSource } ?? 0
        return x(device) + columnWidth * Double(place + 1) / Double(ends.count + 1)
    }

    private mutating func legend() {
        let kinds = TermReport.Kind.allCases.filter { kind in
            report.devices.contains { $0.terms.contains { $0.kind == kind } }
        }
        var x = margin
        var y = legendTop
        for kind in kinds {
            let length = 17 + Self.textWidth(kind.rawValue, 11.5) + 14
            if x + length > width - margin {
                x = margin
                y += 20
            }
            canvas.rectangle(x, y - 10, 12, 12, fill: PlanPalette.fill(kind), radius: 2)
            canvas.text(kind.rawValue, x + 17, y, size: 11.5, fill: PlanPalette.faint)
            x += length
        }
        canvas.text("numbers in GiB", width - margin, legendTop + 20, size: 11.5, fill: PlanPalette.faint, anchor: .end)
    }

    /// About how wide a text is: SVG has no way to ask.
    private static func textWidth(_ text: String, _ size: Double) -> Double {
        Double(text.unicodeScalars.count) * size * 0.53
    }
}
