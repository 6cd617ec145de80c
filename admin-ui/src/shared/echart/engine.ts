// The parts of ECharts that pages draw with. Fetched when the first such chart is seen.
import { GaugeChart, HeatmapChart, PieChart, TreemapChart } from 'echarts/charts';
import { AriaComponent, GridComponent, TooltipComponent, VisualMapComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';

use([
  GaugeChart,
  HeatmapChart,
  PieChart,
  TreemapChart,
  AriaComponent,
  GridComponent,
  TooltipComponent,
  VisualMapComponent,
  CanvasRenderer,
]);

export { init };
